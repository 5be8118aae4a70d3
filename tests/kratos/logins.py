"""Whether Kratos lets somebody in: reads pairs of a stored hash and a password as JSON, and says of each whether the hash, in the forms that Kratos
reads and in no others, is that of the password. The functions are those of Python and of libraries that share no code with the extension."""
import base64
import hashlib
import hmac
import json
import re
import sys

import bcrypt
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from passlib import hash as passlib
from passlib.crypto.digest import lookup_hash


def padded(text):
    return base64.b64decode(text, validate=True)


def bare(text):
    assert '=' not in text
    return base64.b64decode(text + '=' * (-len(text) % 4), validate=True)


def numbers(pattern, text):
    return [int(n) for n in re.fullmatch(pattern, text).groups()]


def digest(name, data):
    return lookup_hash(name).const(data).digest()


def filled(template, salt, password):
    return re.sub(rb'\{SALT\}|\{PASSWORD\}', lambda m: salt if m[0] == b'{SALT}' else password, template)


def verify(stored, password):
    secret, parts = password.encode(), stored.split('$')
    name = parts[1] if len(parts) > 1 else ''
    if re.match(r'\$2[abzy]?\$', stored):
        return len(secret) <= 72 and bcrypt.checkpw(secret, ('$2b' + stored[stored.index('$', 1):]).encode())
    if name in ('argon2id', 'argon2i'):
        _, _, version, costs, salt, expected = parts
        memory, time, lanes = numbers(r'm=(\d+),t=(\d+),p=(\d+)', costs)
        kind = Type.ID if name == 'argon2id' else Type.I
        expected = bare(expected)
        return version == 'v=19' and hash_secret_raw(secret, bare(salt), time, memory, lanes, len(expected), kind, 19) == expected
    if re.fullmatch(r'pbkdf2-sha\d{1,3}', name):
        _, _, costs, salt, expected = parts
        iterations, _ = numbers(r'i=(\d+),l=(\d+)', costs)
        expected = bare(expected)
        function = {'sha1': 'sha1', 'sha224': 'sha3_224', 'sha384': 'sha3_384', 'sha512': 'sha512'}.get(name[7:], 'sha256')
        return hashlib.pbkdf2_hmac(function, secret, bare(salt), iterations, len(expected)) == expected
    if name == 'scrypt':
        _, _, costs, salt, expected = parts
        n, r, p = numbers(r'ln=(\d+),r=(\d+),p=(\d+)', costs)
        expected = padded(expected)
        return hashlib.scrypt(secret, salt=padded(salt), n=n, r=r, p=p, maxmem=1 << 30, dklen=len(expected)) == expected
    if name == 'firescrypt':
        _, _, costs, salt, expected, separator, key = parts
        n, r, p = numbers(r'ln=(\d+),r=(\d+),p=(\d+)', costs)
        derived = hashlib.scrypt(secret, salt=padded(salt) + padded(separator), n=1 << n, r=r, p=p, maxmem=1 << 30, dklen=32)
        return Cipher(algorithms.AES(derived), modes.CTR(bytes(16))).encryptor().update(padded(key)) == padded(expected)
    crypt = {'md5-crypt': ('1', passlib.md5_crypt), 'sha256-crypt': ('5', passlib.sha256_crypt), 'sha512-crypt': ('6', passlib.sha512_crypt)}
    if name in crypt:
        number, function = crypt[name]
        return function.verify(secret, f'${number}' + stored[len(name) + 1:])
    if name == 'md5' and len(parts) == 3:
        return hashlib.md5(secret).digest() == padded(parts[2])
    if name in ('md5', 'sha1', 'sha256', 'sha512'):
        _, _, template, salt, expected = parts
        template = padded(re.fullmatch(r'pf=(\S+)', template)[1])
        return digest(name, filled(template, padded(salt), secret)) == padded(expected)
    if re.fullmatch(r'hmac-(md4|md5|sha1|sha224|sha256|sha384|sha512)', name):
        _, _, expected, key = parts
        return hmac.new(padded(key), secret, lookup_hash(name[5:]).const).hexdigest().encode() == padded(expected)
    ldap = re.fullmatch(r'\{SSHA(|256|512)\}(.*)', stored)
    if ldap:
        name, both = 'sha' + (ldap[1] or '1'), padded(ldap[2])
        size = hashlib.new(name).digest_size
        return len(both) > size and digest(name, secret + both[size:]) == both[:size]
    return False


if __name__ == '__main__':
    for line in sys.stdin:
        stored, password = json.loads(line)
        try:
            print(json.dumps(stored is not None and verify(stored, password)))
        except (ValueError, TypeError, AssertionError) as problem:
            print(f'{stored}: {problem!r}', file=sys.stderr)
            print('false')
