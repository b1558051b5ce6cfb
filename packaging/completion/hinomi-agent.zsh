#compdef hinomi-agent
# zsh completion of hinomi-agent; made from its command table
_hinomi-agent() {
    local -a commands
    local command="${words[2]} ${words[3]}"
    commands=(enroll run version completion man)
    if (( CURRENT == 2 )); then
        compadd -a commands
        return
    fi
    case "$command" in
        (*) command=${words[2]} ;;
    esac
    if [[ $command == ${words[2]} ]]; then
        case "$command" in
        esac
        words=("$words[1]" "${(@)words[3,-1]}"); (( CURRENT -= 1 ))
    fi
    case "$command" in
        ("enroll") _arguments '--help[tell more]' '--server=[The server, such as https\://hinomi.example.com\:11900.]:URL:' '--token=[The enrol token, from Inventory > Agents or hinomi agent enroll-token.]:TOKEN:' '--token-file=[A file that holds the enrol token, so that it does not show in the process list.]:FILE:_files' '--ca-file=[Certificates (PEM) to trust instead of the system'\''s.]:FILE:_files' '--name=[The name of this host, instead of its host name.]:NAME:' '--force[Replace the credential of an earlier enrolment.]' '--data=[The data folder. Default\: $STATE_DIRECTORY, /var/lib/hinomi-agent for root, ~/.local/share/hinomi-agent.]:DIR:_files -/' ;;
        ("run") _arguments '--help[tell more]' '--data=[The data folder. Default\: $STATE_DIRECTORY, /var/lib/hinomi-agent for root, ~/.local/share/hinomi-agent.]:DIR:_files -/' ;;
        ("version") _arguments '--help[tell more]' ;;
        ("completion") _arguments '--help[tell more]' '1:choice:(bash zsh fish)' ;;
        ("man") _arguments '--help[tell more]' ;;
    esac
}
_hinomi-agent "$@"
