"""One side of connections that speak TLS: told what to do by lines, says what came of it.

A line is names and values, one after the other, with tabs between. What comes back is a line for
the port of a server, and one for each connection.
"""
import socket
import ssl
import sys

LIMIT = 300  # seconds: nothing takes a hundredth of it


def context(wish, serves):
    kind = ssl.PROTOCOL_TLS_SERVER if serves else ssl.PROTOCOL_TLS_CLIENT
    made = ssl.SSLContext(kind)
    # Up to 3.11.2, Python took an end without a word for a clean one (gh-95494).
    made.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    versions = {
        "1.2": (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2),
        "1.3": (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3),
        "old": (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1),
    }
    oldest, newest = versions[wish["version"]]
    if wish["version"] == "old":
        made.set_ciphers("ALL:@SECLEVEL=0")
    # The bounds may not cross while they are set.
    made.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    made.minimum_version, made.maximum_version = oldest, newest
    if wish.get("alpn"):
        made.set_alpn_protocols(wish["alpn"].split(","))
    if wish.get("chain"):
        made.load_cert_chain(wish["chain"], wish["key"])
    if wish.get("roots"):
        made.load_verify_locations(wish["roots"])
    if serves:
        asks = {"no": ssl.CERT_NONE, "may": ssl.CERT_OPTIONAL, "must": ssl.CERT_REQUIRED}
        made.verify_mode = asks[wish["ask"]]
    if wish.get("other"):
        second = context(dict(wish, chain=wish["otherchain"], key=wish["otherkey"], other=""), True)

        def choose(connection, name, _):
            if name == wish["other"]:
                connection.context = second

        made.sni_callback = choose
    return made


def hear(stream, text):
    got = b""
    while len(got) < len(text):
        more = stream.recv(len(text) - len(got))
        if not more:
            raise EOFError("the end, and not " + repr(text))
        got += more
    assert got == text, (got, text)


def ends(stream):
    """What the other side has ended with."""
    try:
        assert stream.recv(1) == b""
        return "clean"
    except ssl.SSLError as error:
        # The reason is how those versions say it.
        if isinstance(error, ssl.SSLEOFError) or error.reason == "UNEXPECTED_EOF_WHILE_READING":
            return "cut"
        raise


def finish(stream):
    """Says that it was all, and waits until the other side has said so."""
    stream.unwrap()
    return "clean"


def speak(stream, ending, serves):
    """What both sides say; says what was agreed on, the session, and the end."""
    if serves:
        stream.sendall(b"welcome\n")
        hear(stream, b"thanks\n")
        stream.sendall(b"bye\n")
        if ending != "ClientCuts":
            hear(stream, b"ready\n")
        first, cuts = "ServerFirst", "ServerCuts"
    else:
        hear(stream, b"welcome\n")
        stream.sendall(b"thanks\n")
        hear(stream, b"bye\n")
        if ending != "ClientCuts":
            stream.sendall(b"ready\n")
        first, cuts = "ClientFirst", "ClientCuts"
    # Once it has finished, nothing is known of it.
    agreed = [
        stream.version(),
        stream.selected_alpn_protocol() or "-",
        str(stream.session_reused),
        "shown" if stream.getpeercert(True) else "-",
    ]
    session = stream.session
    if ending == cuts:
        end = "left"
    elif ending == first:
        end = finish(stream)
    else:
        end = ends(stream)
        if end == "clean":
            finish(stream)
    return agreed + [end], session


def connection(wish, plain, made, serves, session):
    """One connection: what to say of it, and its session."""
    plain.settimeout(LIMIT)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wrapped = made.wrap_socket(
        plain,
        server_side=serves,
        server_hostname=None if serves else wish["name"],
        session=session,
        do_handshake_on_connect=False,
        suppress_ragged_eofs=False,
    )
    try:
        wrapped.do_handshake()
        agreed, session = speak(wrapped, wish["ending"], serves)
        return ["agreed"] + agreed, session
    except (OSError, EOFError) as error:
        leave(wrapped)
        return ["refused", getattr(error, "reason", None) or repr(error)], None
    finally:
        wrapped.close()


def leave(stream):
    """Leaves so that the other side can read why: what is unread would reset the connection."""
    try:
        stream.shutdown(socket.SHUT_WR)
        while stream.recv(4096):
            pass
    except OSError:
        pass


def serve(wish):
    made = context(wish, True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LIMIT)
        say("port", str(listener.getsockname()[1]))
        for _ in range(int(wish["connections"])):
            told, _ = connection(wish, listener.accept()[0], made, True, None)
            say(*told)
            if told[0] != "agreed":
                break


def dial(wish, kept):
    if wish["again"] != "1":
        kept[:] = [context(wish, False), None]
    plain = socket.create_connection(("127.0.0.1", int(wish["port"])), LIMIT)
    told, kept[1] = connection(wish, plain, kept[0], False, kept[1])
    say(*told)


def say(*words):
    print("\t".join(words), flush=True)


def main():
    kept = []
    for line in sys.stdin:
        words = line.rstrip("\r\n").split("\t")
        wish = dict(zip(words[::2], words[1::2]))
        if wish["do"] == "serve":
            serve(wish)
        else:
            dial(wish, kept)


main()
