"""Writes hashes.tsv: scheme, password, hash on each line, made by libraries that share no code with the module under
test. The output is the same on every run: salts come from a digest of what they are for, not from chance.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python generate.py

Passwords have no tab, newline or backslash, so the file needs no escapes.
"""

import base64
import binascii
import hashlib
import hmac
import pathlib

import bcrypt
from argon2.low_level import Type, hash_secret
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from passlib import hash as passlib

PASSWORDS = ["", "correct horse battery staple", "pässwörd – 密码🔑", "0123456789" * 10]


def random(label: str, size: int) -> bytes:
    return hashlib.shake_256(label.encode()).digest(size)


def letters(label: str, size: int) -> str:
    alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return "".join(alphabet[byte & 63] for byte in random(label, size))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def bare(data: bytes) -> str:
    return b64(data).rstrip("=")


def bcrypts(password: str):
    secret = password.encode()
    for prefix, cost in [("$2b", 4), ("$2a", 5), ("$2y", 4), ("$2z", 4)]:
        salt = bcrypt_salt(f"bcrypt {prefix} {password}")
        made = bcrypt.hashpw(secret[:72], f"$2b${cost:02}${salt}".encode()).decode()
        yield "bcrypt", prefix + made[3:]


def bcrypt_salt(label: str) -> str:
    """Of the 22nd letter only two bits count."""
    return letters(label, 21) + ".Oeu"[random(label + "!", 1)[0] & 3]


def argon2s(password: str):
    for scheme, kind in [("argon2id", Type.ID), ("argon2i", Type.I)]:
        for memory, time, lanes, size in [(64, 1, 1, 32), (75, 3, 2, 16), (256, 2, 4, 64)]:
            salt = random(f"{scheme} {memory} {password}", 16 if size == 32 else 11)
            made = hash_secret(password.encode(), salt, time, memory, lanes, size, kind, 19)
            yield scheme, made.decode()


def pbkdf2s(password: str):
    for digest in ["sha1", "sha224", "sha256", "sha384", "sha512"]:
        for rounds, size in [(1, 32), (100, hashlib.new(digest).digest_size), (17, 100)]:
            salt = random(f"{digest} {rounds} {password}", 16)
            made = hashlib.pbkdf2_hmac(digest, password.encode(), salt, rounds, size)
            yield f"pbkdf2-{digest}", f"$pbkdf2-{digest}$i={rounds},l={size}${bare(salt)}${bare(made)}"
    # In Ory Kratos these two names are those of SHA3.
    for digest, name in [("sha3_224", "sha224"), ("sha3_384", "sha384")]:
        for rounds, size in [(1, 32), (17, 100)]:
            salt = random(f"{digest} {rounds} {password}", 16)
            made = hashlib.pbkdf2_hmac(digest, password.encode(), salt, rounds, size)
            yield f"pbkdf2-{name}", f"$pbkdf2-{name}$i={rounds},l={size}${bare(salt)}${bare(made)}"
    for scheme, hasher in [
        ("pbkdf2-sha1", passlib.pbkdf2_sha1),
        ("pbkdf2-sha256", passlib.pbkdf2_sha256),
        ("pbkdf2-sha512", passlib.pbkdf2_sha512),
    ]:
        yield scheme, hasher.using(salt=random(f"passlib {scheme} {password}", 16), rounds=50).hash(password)
    for scheme, hasher in [
        ("django-pbkdf2-sha256", passlib.django_pbkdf2_sha256),
        ("django-pbkdf2-sha1", passlib.django_pbkdf2_sha1),
    ]:
        salt = letters(f"{scheme} {password}", 22).replace(".", "x").replace("/", "y")
        yield scheme, hasher.using(salt=salt, rounds=60).hash(password)


def scrypts(password: str):
    for n, r, p, size in [(256, 8, 1, 32), (64, 3, 2, 64)]:
        salt = random(f"scrypt {n} {password}", 32)
        made = hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, dklen=size)
        yield "scrypt", f"$scrypt$ln={n},r={r},p={p}${b64(salt)}${b64(made)}"
        yield "scrypt", f"$scrypt$ln={n},r={r},p={p}${bare(salt)}${bare(made)}"
    yield "scrypt", passlib.scrypt.using(salt=random(f"ln {password}", 16), rounds=7, block_size=8).hash(password)


def firescrypts(password: str):
    for cost, r, p, size in [(8, 8, 1, 64), (5, 4, 2, 37)]:
        salt = random(f"firescrypt {cost} {password}", 10)
        separator = b"\x07" if p == 1 else b""
        signer = random(f"signer {cost} {password}", size)
        key = Scrypt(salt=salt + separator, length=32, n=1 << cost, r=r, p=p).derive(password.encode())
        encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        made = encryptor.update(signer) + encryptor.finalize()
        parts = [salt, made, separator, signer]
        yield "firescrypt", f"$firescrypt$ln={cost},r={r},p={p}$" + "$".join(map(b64, parts))


def salted(password: str):
    for scheme, hasher in [
        ("ssha", passlib.ldap_salted_sha1),
        ("ssha256", passlib.ldap_salted_sha256),
        ("ssha512", passlib.ldap_salted_sha512),
    ]:
        yield scheme, hasher.using(salt=random(f"{scheme} {password}", 8)).hash(password)


def templates(password: str):
    for digest in ["md5", "sha1", "sha256", "sha512"]:
        salt = "{PASSWORD} " + letters(f"template {digest} {password}", 9)
        for template in ["{SALT}{PASSWORD}", "{PASSWORD}%%{SALT}", "??{SALT}${PASSWORD}${SALT", "{PASSWORD}{PASSWORD}é"]:
            text = template.replace("{PASSWORD}", "\0").replace("{SALT}", salt).replace("\0", password)
            made = hashlib.new(digest, text.encode()).digest()
            yield digest, f"${digest}$pf={b64(template.encode())}${b64(salt.encode())}${b64(made)}"
    made = hashlib.md5(password.encode())
    yield "md5", f"$md5${b64(made.digest())}"
    yield "md5-hex", made.hexdigest()
    yield "md5-hex", made.hexdigest().upper()


def hmacs(password: str):
    for digest in ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]:
        for size in [5, 200]:
            key = random(f"hmac {digest} {password}", size)
            made = hmac.new(key, password.encode(), digest).hexdigest()
            yield f"hmac-{digest}", f"$hmac-{digest}${b64(made.encode())}${b64(key)}"
    for size in [5, 200]:
        key = random(f"hmac md4 {password}", size)
        made = binascii.hexlify(hmac_md4(key, password.encode()))
        yield "hmac-md4", f"$hmac-md4${b64(made)}${b64(key)}"


def hmac_md4(key: bytes, message: bytes) -> bytes:
    """The usual libraries no longer offer MD4 as a digest for HMAC: RFC 2104 over another implementation of it."""
    from passlib.crypto._md4 import md4

    key = (md4(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = md4(bytes(byte ^ 0x36 for byte in key) + message).digest()
    return md4(bytes(byte ^ 0x5C for byte in key) + inner).digest()


def crypts(password: str):
    made = passlib.md5_crypt.using(salt=letters(f"md5 {password}", 8)).hash(password)
    yield "md5-crypt", made
    yield "md5-crypt", "$md5-crypt" + made[2:]
    yield "md5-crypt", passlib.md5_crypt.using(salt="ab").hash(password)
    for scheme, prefix, hasher in [
        ("sha256-crypt", "$5", passlib.sha256_crypt),
        ("sha512-crypt", "$6", passlib.sha512_crypt),
    ]:
        for rounds, size in [(1000, 16), (1003, 5), (5000, 8)]:
            salt = letters(f"{scheme} {rounds} {password}", size)
            made = hasher.using(salt=salt, rounds=rounds).hash(password)
            assert made.startswith(prefix + "$")
            yield scheme, made
            yield scheme, f"${scheme}{made[2:]}"
    for ident, cost in [("P", 7), ("H", 8), ("P", 9)]:
        salt = letters(f"phpass {cost} {password}", 8)
        yield "phpass", passlib.phpass.using(salt=salt, rounds=cost, ident=ident).hash(password)


FAMILIES = [bcrypts, argon2s, pbkdf2s, scrypts, firescrypts, salted, templates, hmacs, crypts]


def main():
    lines = []
    for family in FAMILIES:
        for password in PASSWORDS:
            lines += [f"{scheme}\t{password}\t{made}\n" for scheme, made in family(password)]
    target = pathlib.Path(__file__).with_name("hashes.tsv")
    target.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
