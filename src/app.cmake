# The two executables. app/ holds what both share (configuration, command line); app/server and
# app/agent hold each one's main and wiring.
