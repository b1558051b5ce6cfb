# The two executables. app/cli is the machinery of command lines; app/server and app/agent hold each one's
# commands, wiring and main.
hinomi_room(app_cli DIR app/cli LINK os base)
hinomi_room(app_server DIR app/server EXCLUDE "/main\\.c$"
            LINK app_cli api feature_collect feature_ingest feature_rule feature_notify feature_account feature_agent
                 inventory promql store_series store_state net codec os model base
            TEST_LINK app_agent)

# The screen as one C file; without HINOMI_WEB (or before web/dist is built) the list is empty.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
if(HINOMI_WEB)
  set(web_dist ${CMAKE_SOURCE_DIR}/web/dist)
  file(GLOB_RECURSE web_files CONFIGURE_DEPENDS ${web_dist}/*)
else()
  set(web_dist ${CMAKE_BINARY_DIR}/no-web)
  set(web_files)
endif()
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/assets.c
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/embed_assets.py ${web_dist} ${CMAKE_BINARY_DIR}/assets.c
  COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/assets.c
  DEPENDS ${CMAKE_SOURCE_DIR}/tools/embed_assets.py ${web_files} VERBATIM)
add_library(app_web STATIC ${CMAKE_BINARY_DIR}/assets.c)
target_include_directories(app_web PRIVATE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(app_server PUBLIC app_web)

# The agent stays small: no series store, no SQLite, no query language (--as-needed drops what archives named in vain).
hinomi_room(app_agent DIR app/agent EXCLUDE "/main\\.c$"
            LINK app_cli feature_agent feature_collect feature_ingest pipe net codec os model base)
add_executable(hinomi-agent app/agent/main.c)
target_link_libraries(hinomi-agent PRIVATE app_agent)
target_link_options(hinomi-agent PRIVATE -Wl,--as-needed)
set_target_properties(hinomi-agent PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

add_executable(hinomi app/server/main.c)
target_link_libraries(hinomi PRIVATE app_server)
set_target_properties(hinomi PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

# Everything that is made from the command and option tables: run after one of them has changed (docs_test tells).
set(generated
  "hinomi docs config > docs/config.md"
  "hinomi docs cli > docs/cli.md"
  "hinomi-agent docs cli >> docs/cli.md"
  "hinomi docs man > docs/man/hinomi.1"
  "hinomi docs hinomi.yml > docs/man/hinomi.yml.5"
  "hinomi-agent docs man > docs/man/hinomi-agent.1")
foreach(shell bash zsh fish)
  list(APPEND generated "hinomi docs ${shell} > packaging/completion/hinomi.${shell}"
    "hinomi-agent docs ${shell} > packaging/completion/hinomi-agent.${shell}")
endforeach()
set(commands)
foreach(line IN LISTS generated)
  list(APPEND commands COMMAND sh -c "${CMAKE_BINARY_DIR}/bin/${line}")
endforeach()
add_custom_target(docs COMMAND ${CMAKE_COMMAND} -E make_directory docs/man packaging/completion ${commands}
  DEPENDS hinomi hinomi-agent WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM)
