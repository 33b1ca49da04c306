"""Files sent to an SFTP server, each under its own name only when it is whole.

By JSch, in the process of Spark's driver: from the folder's file system to the server in a stream, through no memory
of Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError

from segmentation.activation.folder import Folder
from segmentation.config.servers import SftpServer
from segmentation.contracts.errors import ConfigError, DeliveryError

_SECONDS = 30
_REASONS = {
    "Auth fail": "it refuses the login: see `user`, and the key or password",
    "Auth cancel": "it refuses the login: see `user`, and the key or password",
    "HostKey": "its host key is not the one in `host_key`: ask its owner whether that changed",
    "reject HostKey": "its host key is not the one in `host_key`: ask its owner whether that changed",
    "UnknownHostException": "no server has that name: see `host`",
    "ConnectException": "it cannot be reached: see that it is up, and that `host` and `port` are right",
    "timeout": "it does not answer: see that `host` and `port` are right",
    "invalid privatekey": "the file `key_file` has no private key that can be read without a passphrase",
    "No such file": "there is no such folder: see `folder`",
    "Permission denied": "the user may not write to the folder: see its rights there",
}


def send_files(folder: Folder, files: Sequence[str], server: SftpServer, password: str | None) -> None:
    """Sends files of a folder, one after the other. One that is there already is replaced, in one step.

    Raises `DeliveryError`, and `ConfigError` where the private key cannot be read or Spark was started without JSch.
    """
    if server.key_file and not Path(server.key_file).is_file():
        raise ConfigError(f"The private key file of {folder.what} is not there: see its sftp.key_file.")
    jvm: Any = folder.spark._jvm
    session = None
    try:
        session = _log_in(jvm, server, password)
        channel = session.openChannel("sftp")
        channel.connect(_SECONDS * 1000)
        channel.cd(server.folder)
        for file in files:
            _send(folder, file, channel)
    except Py4JJavaError as error:
        raise _failure(folder.what, error) from None
    except (Py4JError, TypeError) as error:
        if isinstance(error, TypeError) or "does not exist" in str(error):
            raise ConfigError(
                f"Spark was started without JSch, which {folder.what} needs: add com.github.mwiede:jsch to --packages, "
                "or to `spark.packages`."
            ) from None
        raise
    finally:
        if session is not None:
            session.disconnect()


def _log_in(jvm: Any, server: SftpServer, password: str | None) -> Any:
    client = jvm.com.jcraft.jsch.JSch()
    name = server.host if server.port == 22 else f"[{server.host}]:{server.port}"
    known = f"{name} {server.host_key}\n".encode()
    client.setKnownHosts(jvm.java.io.ByteArrayInputStream(known))
    if server.key_file:
        client.addIdentity(server.key_file)
    session = client.getSession(server.user, server.host, server.port)
    if password:
        session.setPassword(password)
    session.setConfig("StrictHostKeyChecking", "yes")
    session.setConfig("server_host_key", _algorithms(server.host_key.split()[0]))
    session.setConfig("PreferredAuthentications", "publickey" if server.key_file else "password")
    session.connect(_SECONDS * 1000)
    return session


def _algorithms(key_type: str) -> str:
    """What a key of this type may sign with: a server that has several keys has to show this one."""
    return "rsa-sha2-512,rsa-sha2-256" if key_type == "ssh-rsa" else key_type


def _send(folder: Folder, file: str, channel: Any) -> None:
    """JSch renames by OpenSSH's own extension where the server has it: onto a file that is there, in one step."""
    name = file.rpartition("/")[2]
    source = folder.open(file)
    try:
        channel.put(source, f".{name}.part")
    finally:
        source.close()
    channel.rename(f".{name}.part", name)


def _failure(what: str, error: Py4JJavaError) -> DeliveryError:
    said = ""
    cause: Any = error.java_exception
    while cause is not None:
        said += f" {cause.getClass().getSimpleName()} {cause.getMessage()}"
        cause = cause.getCause()
    why = next((text for part, text in _REASONS.items() if part in said), None)
    kind = error.java_exception.getClass().getSimpleName()
    return DeliveryError(
        f"The server of {what} did not take its files: {why or f'it ended with {kind}, so see that it has room'}. "
        "They are in the export's folder; run the command again."
    )
