# fish completion of hinomi; made from its command table
complete -c hinomi -f
complete -c hinomi -n __fish_use_subcommand -a serve -d 'Run the server.'
complete -c hinomi -n '__fish_seen_subcommand_from serve' -l config -rF -d 'The configuration file; without one everything has its default.'
complete -c hinomi -n '__fish_seen_subcommand_from serve' -l data -x -d 'The data folder. Default: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.' -a '(__fish_complete_directories)'
complete -c hinomi -n '__fish_seen_subcommand_from serve' -l listen -x -d 'The address, instead of server.listen of the configuration.'
complete -c hinomi -n '__fish_seen_subcommand_from serve' -l no-auth -d 'Ask nobody for a login; refused off loopback.'
complete -c hinomi -n __fish_use_subcommand -a config
complete -c hinomi -n '__fish_seen_subcommand_from config; and not __fish_seen_subcommand_from check show export' -a check -d 'Check a configuration, with its includes and rule files.'
complete -c hinomi -n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from check' -F
complete -c hinomi -n __fish_use_subcommand -a config
complete -c hinomi -n '__fish_seen_subcommand_from config; and not __fish_seen_subcommand_from check show export' -a show -d 'Print a configuration as hinomi understands it, secrets hidden.'
complete -c hinomi -n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from show' -l all -d 'Show defaults too.'
complete -c hinomi -n __fish_use_subcommand -a config
complete -c hinomi -n '__fish_seen_subcommand_from config; and not __fish_seen_subcommand_from check show export' -a export -d 'Print what was added in the screen as YAML, to be reviewed and kept in the file.'
complete -c hinomi -n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from export' -l server -x -d 'The server to ask. Default: $HINOMI_SERVER, or http://127.0.0.1:11900.'
complete -c hinomi -n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from export' -l token-file -rF -d 'A file with the token to show to it. Default: $HINOMI_TOKEN.'
complete -c hinomi -n __fish_use_subcommand -a verify -d 'Read every byte of a data folder and say what is damaged.'
complete -c hinomi -n '__fish_seen_subcommand_from verify' -l data -x -d 'The data folder. Default: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.' -a '(__fish_complete_directories)'
complete -c hinomi -n __fish_use_subcommand -a query -d 'Ask a server a PromQL query.'
complete -c hinomi -n '__fish_seen_subcommand_from query' -l time -x -d 'The instant, RFC 3339 or Unix seconds. Default: now.'
complete -c hinomi -n '__fish_seen_subcommand_from query' -l start -x -d 'The start of a range; makes it a range query.'
complete -c hinomi -n '__fish_seen_subcommand_from query' -l end -x -d 'The end of a range. Default: now.'
complete -c hinomi -n '__fish_seen_subcommand_from query' -l step -x -d 'The step of a range. Default: 1m.'
complete -c hinomi -n '__fish_seen_subcommand_from query' -l format -x -d 'How the answer is printed.' -a 'table json'
complete -c hinomi -n '__fish_seen_subcommand_from query' -l server -x -d 'The server to ask. Default: $HINOMI_SERVER, or http://127.0.0.1:11900.'
complete -c hinomi -n '__fish_seen_subcommand_from query' -l token-file -rF -d 'A file with the token to show to it. Default: $HINOMI_TOKEN.'
complete -c hinomi -n __fish_use_subcommand -a notify
complete -c hinomi -n '__fish_seen_subcommand_from notify; and not __fish_seen_subcommand_from test' -a test -d 'Send a test message to a receiver and say what came of it.'
complete -c hinomi -n '__fish_seen_subcommand_from notify; and __fish_seen_subcommand_from test' -l server -x -d 'The server to ask. Default: $HINOMI_SERVER, or http://127.0.0.1:11900.'
complete -c hinomi -n '__fish_seen_subcommand_from notify; and __fish_seen_subcommand_from test' -l token-file -rF -d 'A file with the token to show to it. Default: $HINOMI_TOKEN.'
complete -c hinomi -n __fish_use_subcommand -a user
complete -c hinomi -n '__fish_seen_subcommand_from user; and not __fish_seen_subcommand_from add list passwd delete' -a add -d 'Add an account; asks for its password.'
complete -c hinomi -n '__fish_seen_subcommand_from user; and __fish_seen_subcommand_from add' -l role -x -d 'What the user may do. Default: viewer.' -a 'viewer editor admin'
complete -c hinomi -n '__fish_seen_subcommand_from user; and __fish_seen_subcommand_from add' -l password-stdin -d 'Read the password from the first line of standard input.'
complete -c hinomi -n '__fish_seen_subcommand_from user; and __fish_seen_subcommand_from add' -l data -x -d 'The data folder. Default: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.' -a '(__fish_complete_directories)'
complete -c hinomi -n __fish_use_subcommand -a user
complete -c hinomi -n '__fish_seen_subcommand_from user; and not __fish_seen_subcommand_from add list passwd delete' -a list -d 'List the accounts.'
complete -c hinomi -n '__fish_seen_subcommand_from user; and __fish_seen_subcommand_from list' -l data -x -d 'The data folder. Default: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.' -a '(__fish_complete_directories)'
complete -c hinomi -n __fish_use_subcommand -a user
complete -c hinomi -n '__fish_seen_subcommand_from user; and not __fish_seen_subcommand_from add list passwd delete' -a passwd -d 'Set a password; ends the user'\''s sessions.'
complete -c hinomi -n '__fish_seen_subcommand_from user; and __fish_seen_subcommand_from passwd' -l password-stdin -d 'Read the password from the first line of standard input.'
complete -c hinomi -n '__fish_seen_subcommand_from user; and __fish_seen_subcommand_from passwd' -l data -x -d 'The data folder. Default: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.' -a '(__fish_complete_directories)'
complete -c hinomi -n __fish_use_subcommand -a user
complete -c hinomi -n '__fish_seen_subcommand_from user; and not __fish_seen_subcommand_from add list passwd delete' -a delete -d 'Remove an account and end its sessions.'
complete -c hinomi -n '__fish_seen_subcommand_from user; and __fish_seen_subcommand_from delete' -l data -x -d 'The data folder. Default: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.' -a '(__fish_complete_directories)'
complete -c hinomi -n __fish_use_subcommand -a token
complete -c hinomi -n '__fish_seen_subcommand_from token; and not __fish_seen_subcommand_from create list revoke' -a create -d 'Make a token for a program; prints it once.'
complete -c hinomi -n '__fish_seen_subcommand_from token; and __fish_seen_subcommand_from create' -l scope -x -d 'What the token is good for; may be given several times.' -a 'read write admin write:series agent'
complete -c hinomi -n '__fish_seen_subcommand_from token; and __fish_seen_subcommand_from create' -l expires -x -d 'How long the token works, such as 90d. Default: for ever.'
complete -c hinomi -n '__fish_seen_subcommand_from token; and __fish_seen_subcommand_from create' -l data -x -d 'The data folder. Default: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.' -a '(__fish_complete_directories)'
complete -c hinomi -n __fish_use_subcommand -a token
complete -c hinomi -n '__fish_seen_subcommand_from token; and not __fish_seen_subcommand_from create list revoke' -a list -d 'List the tokens, without their secrets.'
complete -c hinomi -n '__fish_seen_subcommand_from token; and __fish_seen_subcommand_from list' -l data -x -d 'The data folder. Default: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.' -a '(__fish_complete_directories)'
complete -c hinomi -n __fish_use_subcommand -a token
complete -c hinomi -n '__fish_seen_subcommand_from token; and not __fish_seen_subcommand_from create list revoke' -a revoke -d 'End a token; a running server knows within ten seconds.'
complete -c hinomi -n '__fish_seen_subcommand_from token; and __fish_seen_subcommand_from revoke' -l data -x -d 'The data folder. Default: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.' -a '(__fish_complete_directories)'
complete -c hinomi -n __fish_use_subcommand -a agent
complete -c hinomi -n '__fish_seen_subcommand_from agent; and not __fish_seen_subcommand_from enroll-token' -a enroll-token -d 'Make a token that enrols one more host, and print the command to run there.'
complete -c hinomi -n '__fish_seen_subcommand_from agent; and __fish_seen_subcommand_from enroll-token' -l note -x -d 'What the token is for.'
complete -c hinomi -n '__fish_seen_subcommand_from agent; and __fish_seen_subcommand_from enroll-token' -l server -x -d 'The server to ask. Default: $HINOMI_SERVER, or http://127.0.0.1:11900.'
complete -c hinomi -n '__fish_seen_subcommand_from agent; and __fish_seen_subcommand_from enroll-token' -l token-file -rF -d 'A file with the token to show to it. Default: $HINOMI_TOKEN.'
complete -c hinomi -n __fish_use_subcommand -a version -d 'Print the version.'
complete -c hinomi -n __fish_use_subcommand -a completion -d 'Print the completion script of a shell.'
complete -c hinomi -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'
complete -c hinomi -n __fish_use_subcommand -a man -d 'Print the manual page (pipe it to man -l -).'
