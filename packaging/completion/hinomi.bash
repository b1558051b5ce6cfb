# bash completion of hinomi; made from its command table
_hinomi() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=""
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W 'serve config verify query notify user token agent version completion man' -- "$cur"))
        return
    fi
    case "${COMP_WORDS[1]} ${COMP_WORDS[2]}" in
        "config check") command="config check" ;;
        "config show") command="config show" ;;
        "config export") command="config export" ;;
        "notify test") command="notify test" ;;
        "user add") command="user add" ;;
        "user list") command="user list" ;;
        "user passwd") command="user passwd" ;;
        "user delete") command="user delete" ;;
        "token create") command="token create" ;;
        "token list") command="token list" ;;
        "token revoke") command="token revoke" ;;
        "agent enroll-token") command="agent enroll-token" ;;
        *) command=${COMP_WORDS[1]} ;;
    esac
    if [ "$COMP_CWORD" -eq 2 ]; then
        case "${COMP_WORDS[1]}" in
            config) COMPREPLY=($(compgen -W 'check show export' -- "$cur")); return ;;
            notify) COMPREPLY=($(compgen -W 'test' -- "$cur")); return ;;
            user) COMPREPLY=($(compgen -W 'add list passwd delete' -- "$cur")); return ;;
            token) COMPREPLY=($(compgen -W 'create list revoke' -- "$cur")); return ;;
            agent) COMPREPLY=($(compgen -W 'enroll-token' -- "$cur")); return ;;
        esac
    fi
    case "$command $prev" in
        "serve --config") compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur")); return ;;
        "serve --data") compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); return ;;
        "serve --listen") return ;;
        "config export --server") return ;;
        "config export --token-file") compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur")); return ;;
        "verify --data") compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); return ;;
        "query --time") return ;;
        "query --start") return ;;
        "query --end") return ;;
        "query --step") return ;;
        "query --format") COMPREPLY=($(compgen -W 'table json' -- "$cur")); return ;;
        "query --server") return ;;
        "query --token-file") compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur")); return ;;
        "notify test --server") return ;;
        "notify test --token-file") compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur")); return ;;
        "user add --role") COMPREPLY=($(compgen -W 'viewer editor admin' -- "$cur")); return ;;
        "user add --data") compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); return ;;
        "user list --data") compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); return ;;
        "user passwd --data") compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); return ;;
        "user delete --data") compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); return ;;
        "token create --scope") COMPREPLY=($(compgen -W 'read write admin write:series agent' -- "$cur")); return ;;
        "token create --expires") return ;;
        "token create --data") compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); return ;;
        "token list --data") compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); return ;;
        "token revoke --data") compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); return ;;
        "agent enroll-token --note") return ;;
        "agent enroll-token --server") return ;;
        "agent enroll-token --token-file") compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur")); return ;;
    esac
    case "$command" in
        "serve")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --config --data --listen --no-auth' -- "$cur")); fi ;;
        "config check")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help' -- "$cur")); else compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur")); fi ;;
        "config show")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --all' -- "$cur")); fi ;;
        "config export")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --server --token-file' -- "$cur")); fi ;;
        "verify")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --data' -- "$cur")); fi ;;
        "query")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --time --start --end --step --format --server --token-file' -- "$cur")); fi ;;
        "notify test")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --server --token-file' -- "$cur")); fi ;;
        "user add")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --role --password-stdin --data' -- "$cur")); fi ;;
        "user list")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --data' -- "$cur")); fi ;;
        "user passwd")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --password-stdin --data' -- "$cur")); fi ;;
        "user delete")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --data' -- "$cur")); fi ;;
        "token create")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --scope --expires --data' -- "$cur")); fi ;;
        "token list")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --data' -- "$cur")); fi ;;
        "token revoke")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --data' -- "$cur")); fi ;;
        "agent enroll-token")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help --note --server --token-file' -- "$cur")); fi ;;
        "version")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help' -- "$cur")); fi ;;
        "completion")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help' -- "$cur")); else COMPREPLY=($(compgen -W 'bash zsh fish' -- "$cur")); fi ;;
        "man")
            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '--help' -- "$cur")); fi ;;
    esac
}
complete -F _hinomi hinomi
