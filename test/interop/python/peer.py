"""One end of connections, on the package `spiffe-tls`, told by lines on its standard input.

    dial tls ADDRESS WANTED IDENTITY   connects, and says who the server took it for
    serve tls WANTED IDENTITY          waits for one client, and says where
    outcome                            what came of that client
"""

import queue
import sys
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from spiffe import SpiffeId, TrustDomain, X509Bundle, X509Source, X509Svid
from spiffetls import ListenOptions, ServerTlsMode, dial, listen
from spiffetls.tlsconfig.authorize import authorize_id

SOURCES = {}


class FromFiles:
    """A source that holds whatever is in its files, good or bad: X509Svid.load would refuse the bad ones itself."""

    def __init__(self, folder):
        chain = x509.load_pem_x509_certificates((folder / 'chain.pem').read_bytes())
        key = load_pem_private_key((folder / 'key.pem').read_bytes(), None)
        self.svid = X509Svid(SpiffeId('spiffe://example.org/whoever'), chain, key)
        files = (folder.parent / 'bundles').glob('*.pem')
        self.bundles = [X509Bundle.parse(TrustDomain(file.stem), file.read_bytes()) for file in files]

    def subscribe_for_updates(self, callback):
        pass


def open_identity(where):
    """The address of a Workload API, or a folder with chain.pem and key.pem beside the folder of the bundles."""
    if not where.startswith('unix:'):
        return FromFiles(Path(where))
    if where not in SOURCES:
        SOURCES[where] = X509Source(socket_path=where, timeout_in_seconds=20)
    return SOURCES[where]


def read_all(connection):
    received = b''
    while True:
        try:
            received += connection.recv(4096)
        except SSL.ZeroReturnError:
            return received.decode()
        except SSL.SysCallError as end:
            if received:
                return received.decode()
            raise end


def dialled(address, wanted, identity):
    connection = None
    try:
        connection = dial(address, open_identity(identity), authorize_fn=authorize_id(SpiffeId(wanted)))
        return {'peer': read_all(connection)}
    except Exception as refused:
        return {'refused': f'{type(refused).__name__} {refused}'}
    finally:
        if connection is not None:
            connection.close()


def id_of(connection):
    names = connection.get_peer_certificate().to_cryptography().extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return names.value.get_values_for_type(x509.UniformResourceIdentifier)[0]


def accept(listener, outcomes):
    try:
        connection, _ = listener.accept()
        try:
            connection.do_handshake()
            peer = id_of(connection)
            connection.sendall(peer.encode())
            connection.shutdown()
            outcomes.put({'peer': peer})
        finally:
            connection.close()
    except Exception as refused:
        outcomes.put({'refused': f'{type(refused).__name__} {refused}'})
    finally:
        listener.close()


def peer(say):
    outcomes = queue.Queue()
    for line in sys.stdin:
        match line.split():
            case ['dial', 'tls', address, wanted, identity]:
                say(**dialled(address, wanted, identity))
            case ['serve', 'tls', wanted, identity]:
                authorize = authorize_id(SpiffeId(wanted))
                options = ListenOptions(tls_mode=ServerTlsMode.MTLS, authorize_fn=authorize)
                listener = listen('127.0.0.1:0', open_identity(identity), options)
                outcomes = queue.Queue()
                threading.Thread(target=accept, args=(listener, outcomes), daemon=True).start()
                host, port = listener.getsockname()
                say(address=f'{host}:{port}')
            case ['outcome']:
                say(**outcomes.get(timeout=10))
            case words:
                raise SystemExit(f'what is {words}?')
