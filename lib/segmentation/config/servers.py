"""Servers that deliveries go to. What is secret in a login is named here, and never written here."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from segmentation.config.model import Section

_Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?$")]
_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class SftpServer(Section):
    """A folder on an SFTP server, and how to log in there: with a key or a password."""

    host: _Host = Field(description="Name or address of the server.")
    port: int = Field(22, ge=1, le=65535, description="Its port.")
    host_key: str = Field(
        pattern=r"^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*$",
        description="Its public key, by which it is known, such as `ssh-ed25519 AAAA…`: what `ssh-keyscan HOST` says "
        "behind the name, compared with what its owner says.",
    )
    user: str = Field(min_length=1, description="Who logs in.")
    folder: str = Field(".", min_length=1, description="The folder there, which must exist.")
    key_file: str | None = Field(
        None, description="File with the private key, without a passphrase; only you should be able to read it."
    )
    password_env: _Variable | None = Field(None, description="Environment variable with the password.")

    @model_validator(mode="after")
    def _logs_in_one_way(self) -> Self:
        if (self.key_file is None) == (self.password_env is None):
            raise ValueError("needs a 'key_file' or a 'password_env', and not both")
        return self


class Database(Section):
    """A table of a PostgreSQL database, and how to log in there."""

    url: str = Field(
        pattern=r"^jdbc:postgresql://[^@?&\s]+(\?(sslmode|sslrootcert)=[^&\s]+(&(sslmode|sslrootcert)=[^&\s]+)*)?$",
        description="`jdbc:postgresql://HOST:PORT/DATABASE`, with `sslmode` and `sslrootcert` where they are needed.",
    )
    table: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,49}(\.[A-Za-z_][A-Za-z0-9_]{0,49})?$",
        description="The table, or schema.table. It is made where there is none; rows go by `person_id`.",
    )
    user: str = Field(min_length=1, description="Who logs in.")
    password_env: _Variable = Field(description="Environment variable with the password.")
