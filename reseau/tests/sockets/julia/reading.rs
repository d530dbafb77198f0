//! Connections: reading, writing, ending.
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use reseau::sockets::julia::{
    Error, accept, connect, getpeername, getsockname, listen, localhost, nagle, quickack,
};

use super::connected;
use crate::watched;

#[test]
fn a88_connect_gives_a_connected_socket() {
    watched(|| {
        let (_server, port, client, conn) = connected();
        assert_eq!(getpeername(&client).unwrap(), (localhost.into(), port));
        client.write(b"x").unwrap();
        assert_eq!(conn.read_byte().unwrap(), b'x');
        nagle(&client, false).unwrap();
        quickack(&client, true).unwrap();
    });
}

#[test]
fn a90_both_names_of_a_connection() {
    watched(|| {
        let (server, port, client, conn) = connected();
        assert_eq!(getsockname(&server).unwrap(), (localhost.into(), port));
        assert_eq!(getpeername(&conn).unwrap(), getsockname(&client).unwrap());
        assert_eq!(getsockname(&conn).unwrap(), getpeername(&client).unwrap());
        conn.close();
        assert!(matches!(getpeername(&conn).unwrap_err(), Error::IOError(_)));
    });
}

#[test]
fn a130_a_socket_is_a_stream_itself() {
    watched(|| {
        let (_server, _, client, conn) = connected();
        (&client).write_all(b"by the traits").unwrap();
        client.closewrite().unwrap();
        let mut text = String::new();
        (&conn).take(100).read_to_string(&mut text).unwrap();
        assert_eq!(text, "by the traits");
    });
}

#[test]
fn a130_reading_nothing_waits_for_nothing() {
    watched(|| {
        let (_server, _, _client, conn) = connected();
        assert_eq!((&conn).read(&mut []).unwrap(), 0);
        conn.read_into(&mut []).unwrap();
        assert_eq!(conn.read_bytes(0).unwrap(), b"");
    });
}

#[test]
fn a131_the_read_buffer_is_bounded() {
    watched(|| {
        let (_server, _, client, conn) = connected();
        let whole: Vec<u8> = (0..1 << 20).map(|at: u32| (at * 7) as u8).collect();
        let expected = whole.clone();
        let writing = thread::spawn(move || client.write(&whole).map(|_| ()));
        assert!(!conn.eof().unwrap());
        while conn.bytes_available() < 64 * 1024 {
            thread::yield_now();
        }
        for _ in 0..100 {
            assert_eq!(conn.bytes_available(), 64 * 1024, "it does not grow");
        }
        assert_eq!(conn.read_available().unwrap().len(), 64 * 1024);
        assert!(conn.read_to_end().unwrap() == expected[64 * 1024..]);
        writing.join().unwrap().unwrap();
    });
}

#[test]
fn a132_reading_byte_by_byte_line_by_line_and_all() {
    watched(|| {
        let (_server, _, client, conn) = connected();
        client.write(b"abcdef\nline\r\n\nlast").unwrap();
        assert_eq!((conn.peek().unwrap(), conn.peek().unwrap()), (b'a', b'a'));
        assert_eq!(conn.read_byte().unwrap(), b'a');
        conn.skip(2).unwrap();
        let mut two = [0; 2];
        conn.read_into(&mut two).unwrap();
        assert_eq!(&two, b"de");
        assert_eq!(conn.readline().unwrap(), "f");
        assert_eq!(conn.readline().unwrap(), "line");
        assert_eq!(conn.readline().unwrap(), "");
        client.closewrite().unwrap();
        assert_eq!(conn.readline().unwrap(), "last");
        assert_eq!(conn.readline().unwrap(), "", "as at every end");
        assert!(conn.eof().unwrap());
    });
}

#[test]
fn a132_available_is_what_has_come() {
    watched(|| {
        let (_server, _, client, conn) = connected();
        assert_eq!(conn.bytes_available(), 0);
        let conn = Arc::new(conn);
        let other = Arc::clone(&conn);
        let waiting = thread::spawn(move || other.read_available().unwrap());
        client.write(b"some").unwrap();
        assert_eq!(waiting.join().unwrap(), b"some");
        client.write(b"more").unwrap();
        assert!(!conn.eof().unwrap());
        assert_eq!(conn.bytes_available(), 4);
        drop(client);
        assert_eq!(conn.read_bytes(3).unwrap(), b"mor");
        assert_eq!(conn.read_bytes(3).unwrap(), b"e");
        assert_eq!(conn.read_available().unwrap(), b"", "the end");
        assert_eq!(conn.bytes_available(), 0);
    });
}

#[test]
fn a132_what_ends_early_is_an_error() {
    watched(|| {
        let (_server, _, client, conn) = connected();
        client.write(b"abc").unwrap();
        client.close();
        assert!(matches!(conn.read_into(&mut [0; 4]), Err(Error::EOFError)));
        assert!(matches!(conn.peek(), Err(Error::EOFError)));
        assert!(matches!(conn.read_byte(), Err(Error::EOFError)));
        assert!(matches!(conn.skip(1), Err(Error::EOFError)));
        assert_eq!(conn.read_to_end().unwrap(), b"");
        conn.skip(0).unwrap();
    });
}

#[test]
fn a132_text_is_text_or_an_error() {
    watched(|| {
        let (_server, _, client, conn) = connected();
        client.write("größe\n".as_bytes()).unwrap();
        client.write(b"\xff\n\xfe").unwrap();
        client.closewrite().unwrap();
        assert_eq!(conn.readline().unwrap(), "größe");
        assert_eq!(conn.readline().unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(conn.read_string().unwrap_err().kind(), ErrorKind::InvalidData);
    });
}

#[test]
fn a133_write_sends_everything_and_closewrite_says_so() {
    watched(|| {
        let (_server, _, client, conn) = connected();
        let bytes = vec![7; 8 << 20];
        let whole = bytes.len();
        let client = Arc::new(client);
        let writer = Arc::clone(&client);
        let writing = thread::spawn(move || {
            assert_eq!(writer.write(&bytes).unwrap(), bytes.len());
            writer.flush().unwrap();
            writer.closewrite().unwrap();
        });
        assert_eq!(conn.read_to_end().unwrap().len(), whole);
        writing.join().unwrap();
        // The other direction is open still.
        conn.write(b"bye").unwrap();
        conn.close();
        assert_eq!(client.read_string().unwrap(), "bye");
        assert!(client.write(b"x").is_err(), "after closewrite");
    });
}

#[test]
fn a133_writes_of_threads_do_not_mingle() {
    watched(|| {
        const SIZE: usize = 8 << 20;
        let (_server, _, client, conn) = connected();
        let client = Arc::new(client);
        let writers: Vec<_> = (0..3_u8)
            .map(|number| {
                let client = Arc::clone(&client);
                thread::spawn(move || client.write(&vec![number; SIZE]).unwrap())
            })
            .collect();
        thread::sleep(Duration::from_millis(50)); // All of them wait for room by now.
        for _ in &writers {
            let bytes = conn.read_bytes(SIZE).unwrap();
            assert!(bytes.iter().all(|byte| *byte == bytes[0]));
        }
        for writer in writers {
            assert_eq!(writer.join().unwrap(), SIZE);
        }
    });
}

#[test]
fn a134_close_ends_calls_that_wait_and_can_be_repeated() {
    watched(|| {
        let (_server, _, client, conn) = connected();
        let conn = Arc::new(conn);
        let other = Arc::clone(&conn);
        client.write(b"x").unwrap();
        assert!(!conn.eof().unwrap());
        let waiting = thread::spawn(move || {
            assert_eq!(other.read_byte().unwrap(), b'x');
            other.eof().unwrap() // Waits, and then it is the end.
        });
        while conn.bytes_available() > 0 {
            thread::yield_now();
        }
        assert!(conn.isopen());
        conn.close();
        conn.close();
        assert!(!conn.isopen());
        assert!(waiting.join().unwrap());
        assert!(client.eof().unwrap(), "the peer sees it too");
        assert!(matches!(conn.write(b"x"), Err(Error::IOError(_))));
        assert!(matches!(conn.flush(), Err(Error::IOError(_))));
    });
}

#[test]
fn a134_close_ends_a_write_that_waits() {
    watched(|| {
        let (_server, _, client, _conn) = connected();
        let client = Arc::new(client);
        let other = Arc::clone(&client);
        // More than all buffers on the way hold, and nobody reads.
        let waiting = thread::spawn(move || other.write(&vec![0; 64 << 20]).unwrap_err());
        thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        client.close();
        assert!(matches!(waiting.join().unwrap(), Error::IOError(_)));
    });
}

#[test]
fn a134_what_has_come_can_be_read_after_closing() {
    watched(|| {
        let (_server, _, client, conn) = connected();
        client.write(b"abc").unwrap();
        assert_eq!(conn.read_byte().unwrap(), b'a');
        conn.close();
        assert_eq!(conn.read_to_end().unwrap(), b"bc");
        assert!(conn.eof().unwrap());
    });
}

#[test]
fn a139_errors_have_the_types_that_julia_has() {
    watched(|| {
        let (server, port, client, _conn) = connected();
        for wrong in [-1, 65536, 1 << 20] {
            assert!(matches!(connect(wrong), Err(Error::ArgumentError(_))));
            assert!(matches!(listen(wrong), Err(Error::ArgumentError(_))));
        }
        assert!(matches!(connect("\0"), Err(Error::ArgumentError(_))));
        assert!(matches!(connect(("name.invalid", 80)), Err(Error::DNSError { .. })));
        server.close();
        let error = connect(port).unwrap_err();
        let Error::IOError(cause) = &error else { panic!("{error}") };
        assert_eq!(cause.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(cause.peer_addr().unwrap().to_string(), format!("127.0.0.1:{port}"));
        client.close();
        assert!(matches!(client.write(b"x"), Err(Error::IOError(_))));
        assert!(matches!(client.read_byte(), Err(Error::EOFError)));
        let error = std::io::Error::from(accept(&server).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    });
}
