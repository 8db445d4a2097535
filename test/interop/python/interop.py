"""What a Python program on the package `spiffe` does with the workload socket. Prints facts as JSON lines."""

import json
import sys
import threading

from peer import peer
from spiffe import JwtSource, JwtSvid, WorkloadApiClient, X509Source


def say(**fact):
    print(json.dumps(fact, default=str), flush=True)


def fetch_x509(address):
    with WorkloadApiClient(address) as client:
        for svid in client.fetch_x509_svids(timeout=20):
            say(spiffeId=str(svid.spiffe_id), serial=str(svid.leaf.serial_number), chain=len(svid.cert_chain))
        say(bundles=len(client.fetch_x509_bundles(timeout=20).bundles))


def x509_source(address):
    source = X509Source(socket_path=address, timeout_in_seconds=20)
    say(spiffeId=str(source.svid.spiffe_id))
    source.close()


def fetch_jwt(address, audience):
    with WorkloadApiClient(address) as client:
        svid = client.fetch_jwt_svid({audience}, timeout=20)
        valid = client.validate_jwt_svid(svid.token, audience, timeout=20)
        bundle = client.fetch_jwt_bundles(timeout=20).get_bundle_for_trust_domain(svid.spiffe_id.trust_domain)
        parsed = JwtSvid.parse_and_validate(svid.token, bundle, {audience})
        say(spiffeId=str(valid.spiffe_id), parsed=str(parsed.spiffe_id), keys=len(bundle.jwt_authorities))
        try:
            client.validate_jwt_svid(svid.token, 'another', timeout=20)
        except Exception as refused:
            say(refused=type(refused).__name__)


def jwt_source(address, audience):
    source = JwtSource(socket_path=address, timeout_in_seconds=20)
    say(spiffeId=str(source.fetch_svid({audience}).spiffe_id))
    source.close()


def watch_x509(address, count):
    seen, done = set(), threading.Event()

    def on_success(context):
        serial = str(context.default_svid.leaf.serial_number)
        seen.add(serial)
        say(serial=serial, seen=len(seen))
        if len(seen) >= int(count):
            done.set()

    with WorkloadApiClient(address) as client:
        handler = client.stream_x509_contexts(on_success, lambda error: say(error=str(error)))
        finished = done.wait(150)
        handler.cancel()
    if not finished:
        raise SystemExit(f'only {len(seen)} of {count} serial numbers seen')


COMMANDS = {
    'fetch-x509': fetch_x509,
    'x509-source': x509_source,
    'fetch-jwt': fetch_jwt,
    'jwt-source': jwt_source,
    'watch-x509': watch_x509,
    'peer': lambda: peer(say),
}

if __name__ == '__main__':
    COMMANDS[sys.argv[1]](*sys.argv[2:])
