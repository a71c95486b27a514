"""A Keystone of its own on SQLite in a folder: `python keystone_server.py FOLDER PORT`.

Says `ready` when it listens. What signs tokens and what is in it goes with the folder.
"""

import os
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

CONFIG = """
[database]
connection = sqlite:///{folder}/keystone.db
[fernet_tokens]
key_repository = {folder}/tokens
[fernet_receipts]
key_repository = {folder}/receipts
[credential]
key_repository = {folder}/credentials
[cache]
enabled = true
backend = dogpile.cache.memory
[identity]
password_hash_rounds = 4
[oauth2]
oauth2_authn_methods = client_secret_basic
"""


def main(folder, port):
    config = os.path.join(folder, "keystone.conf")
    with open(config, "w") as file:
        file.write(CONFIG.format(folder=folder))
    for name in ("tokens", "receipts", "credentials"):
        os.mkdir(os.path.join(folder, name), 0o700)
    from keystone.cmd import manage

    user = str(os.getuid())
    steps = [
        ["db_sync"],
        ["fernet_setup", "--keystone-user", user, "--keystone-group", str(os.getgid())],
        ["credential_setup", "--keystone-user", user, "--keystone-group", str(os.getgid())],
        ["bootstrap", "--bootstrap-password", "a-password-of-the-tests"],
    ]
    for step in steps:
        if os.fork() == 0:
            sys.argv = ["keystone-manage", "--config-file", config, *step]
            manage.main()
            os._exit(0)
        if os.wait()[1] != 0:
            sys.exit(f"{step[0]} failed")
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = config
    sys.argv = ["keystone"]
    from keystone.server import wsgi

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_):
            pass

    server = make_server("127.0.0.1", int(port), wsgi.initialize_public_application(), handler_class=Quiet)
    print("ready", flush=True)
    server.serve_forever()


main(*sys.argv[1:])
