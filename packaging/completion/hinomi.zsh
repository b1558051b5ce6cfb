#compdef hinomi
# zsh completion of hinomi; made from its command table
_hinomi() {
    local -a commands
    local command="${words[2]} ${words[3]}"
    commands=(serve config verify query notify user token agent version completion man)
    if (( CURRENT == 2 )); then
        compadd -a commands
        return
    fi
    case "$command" in
        ("config check") words=("$words[1]" "${(@)words[4,-1]}"); (( CURRENT -= 2 )) ;;
        ("config show") words=("$words[1]" "${(@)words[4,-1]}"); (( CURRENT -= 2 )) ;;
        ("config export") words=("$words[1]" "${(@)words[4,-1]}"); (( CURRENT -= 2 )) ;;
        ("notify test") words=("$words[1]" "${(@)words[4,-1]}"); (( CURRENT -= 2 )) ;;
        ("user add") words=("$words[1]" "${(@)words[4,-1]}"); (( CURRENT -= 2 )) ;;
        ("user list") words=("$words[1]" "${(@)words[4,-1]}"); (( CURRENT -= 2 )) ;;
        ("user passwd") words=("$words[1]" "${(@)words[4,-1]}"); (( CURRENT -= 2 )) ;;
        ("user delete") words=("$words[1]" "${(@)words[4,-1]}"); (( CURRENT -= 2 )) ;;
        ("token create") words=("$words[1]" "${(@)words[4,-1]}"); (( CURRENT -= 2 )) ;;
        ("token list") words=("$words[1]" "${(@)words[4,-1]}"); (( CURRENT -= 2 )) ;;
        ("token revoke") words=("$words[1]" "${(@)words[4,-1]}"); (( CURRENT -= 2 )) ;;
        ("agent enroll-token") words=("$words[1]" "${(@)words[4,-1]}"); (( CURRENT -= 2 )) ;;
        (*) command=${words[2]} ;;
    esac
    if [[ $command == ${words[2]} ]]; then
        case "$command" in
            (config) (( CURRENT == 3 )) && compadd check show export; return ;;
            (notify) (( CURRENT == 3 )) && compadd test; return ;;
            (user) (( CURRENT == 3 )) && compadd add list passwd delete; return ;;
            (token) (( CURRENT == 3 )) && compadd create list revoke; return ;;
            (agent) (( CURRENT == 3 )) && compadd enroll-token; return ;;
        esac
        words=("$words[1]" "${(@)words[3,-1]}"); (( CURRENT -= 1 ))
    fi
    case "$command" in
        ("serve") _arguments '--help[tell more]' '--config=[The configuration file; without one everything has its default.]:FILE:_files' '--data=[The data folder. Default\: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.]:DIR:_files -/' '--listen=[The address, instead of server.listen of the configuration.]:HOST:PORT:' '--no-auth[Ask nobody for a login; refused off loopback.]' ;;
        ("config check") _arguments '--help[tell more]' '*:file:_files' ;;
        ("config show") _arguments '--help[tell more]' '--all[Show defaults too.]' ;;
        ("config export") _arguments '--help[tell more]' '--server=[The server to ask. Default\: $HINOMI_SERVER, or http\://127.0.0.1\:11900.]:URL:' '--token-file=[A file with the token to show to it. Default\: $HINOMI_TOKEN.]:FILE:_files' ;;
        ("verify") _arguments '--help[tell more]' '--data=[The data folder. Default\: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.]:DIR:_files -/' ;;
        ("query") _arguments '--help[tell more]' '--time=[The instant, RFC 3339 or Unix seconds. Default\: now.]:TIME:' '--start=[The start of a range; makes it a range query.]:TIME:' '--end=[The end of a range. Default\: now.]:TIME:' '--step=[The step of a range. Default\: 1m.]:DURATION:' '--format=[How the answer is printed.]:FORMAT:(table json)' '--server=[The server to ask. Default\: $HINOMI_SERVER, or http\://127.0.0.1\:11900.]:URL:' '--token-file=[A file with the token to show to it. Default\: $HINOMI_TOKEN.]:FILE:_files' ;;
        ("notify test") _arguments '--help[tell more]' '--server=[The server to ask. Default\: $HINOMI_SERVER, or http\://127.0.0.1\:11900.]:URL:' '--token-file=[A file with the token to show to it. Default\: $HINOMI_TOKEN.]:FILE:_files' ;;
        ("user add") _arguments '--help[tell more]' '--role=[What the user may do. Default\: viewer.]:ROLE:(viewer editor admin)' '--password-stdin[Read the password from the first line of standard input.]' '--data=[The data folder. Default\: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.]:DIR:_files -/' ;;
        ("user list") _arguments '--help[tell more]' '--data=[The data folder. Default\: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.]:DIR:_files -/' ;;
        ("user passwd") _arguments '--help[tell more]' '--password-stdin[Read the password from the first line of standard input.]' '--data=[The data folder. Default\: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.]:DIR:_files -/' ;;
        ("user delete") _arguments '--help[tell more]' '--data=[The data folder. Default\: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.]:DIR:_files -/' ;;
        ("token create") _arguments '--help[tell more]' '--scope=[What the token is good for; may be given several times.]:SCOPE:(read write admin write:series agent)' '--expires=[How long the token works, such as 90d. Default\: for ever.]:DURATION:' '--data=[The data folder. Default\: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.]:DIR:_files -/' ;;
        ("token list") _arguments '--help[tell more]' '--data=[The data folder. Default\: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.]:DIR:_files -/' ;;
        ("token revoke") _arguments '--help[tell more]' '--data=[The data folder. Default\: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.]:DIR:_files -/' ;;
        ("agent enroll-token") _arguments '--help[tell more]' '--note=[What the token is for.]:TEXT:' '--server=[The server to ask. Default\: $HINOMI_SERVER, or http\://127.0.0.1\:11900.]:URL:' '--token-file=[A file with the token to show to it. Default\: $HINOMI_TOKEN.]:FILE:_files' ;;
        ("version") _arguments '--help[tell more]' ;;
        ("completion") _arguments '--help[tell more]' '1:choice:(bash zsh fish)' ;;
        ("man") _arguments '--help[tell more]' ;;
    esac
}
_hinomi "$@"
