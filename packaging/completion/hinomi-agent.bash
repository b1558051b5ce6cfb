# bash completion of hinomi-agent; made from its command table
_hinomi-agent() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=""
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W 'enroll run version completion man' -- "$cur"))
        return
    fi
    case "${COMP_WORDS[1]} ${COMP_WORDS[2]}" in
        *) command=${COMP_WORDS[1]} ;;
    esac
    if [ "$COMP_CWORD" -eq 2 ]; then
        case "${COMP_WORDS[1]}" in
        esac
    fi
    case "$command $prev" in
        "enroll --server") return ;;
        "enroll --token") return ;;
        "enroll --token-file") compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur")); return ;;
        "enroll --ca-file") compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur")); return ;;
        "enroll --name") return ;;
        "enroll --data") compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); return ;;
        "run --data") compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); return ;;
    esac
    case "$command" in
        "enroll")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --server --token --token-file --ca-file --name --force --data' -- "$cur")); fi ;;
        "run")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --data' -- "$cur")); fi ;;
        "version")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help' -- "$cur")); fi ;;
        "completion")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help' -- "$cur")); else COMPREPLY=($(compgen -W 'bash zsh fish' -- "$cur")); fi ;;
        "man")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help' -- "$cur")); fi ;;
    esac
}
complete -F _hinomi-agent hinomi-agent
