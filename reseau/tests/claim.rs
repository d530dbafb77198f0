//! Paths that listeners own: the dead give way, the living and everything else stay.
#![cfg(all(unix, feature = "async"))]
#![allow(clippy::disallowed_methods)]

#[path = "watchdog/mod.rs"]
mod watchdog;

use reseau::{UnixListener, UnixStream};
use std::io::ErrorKind;
use std::os::unix::net::{UnixDatagram, UnixListener as Std};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use watchdog::watched;

/// A directory of the test's own.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("reseau-claim-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn in_use(claimed: std::io::Result<UnixListener>) {
    assert_eq!(claimed.unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn the_dead_give_way_and_nothing_is_left() {
    watched("the_dead_give_way_and_nothing_is_left", || {
        let (place, rounds) = (Place::new(), 3);
        let path = place.at("socket");
        for _ in 0..rounds {
            drop(Std::bind(&path).unwrap());
            assert!(path.exists(), "std leaves it");
            let listener = UnixListener::claim(&path).unwrap();
            reseau::block_on(async {
                let client = UnixStream::connect(&path).await.unwrap();
                let (server, _) = listener.accept().await.unwrap();
                drop((client, server));
            });
            drop(listener);
            assert!(!path.exists());
        }
        let fresh = UnixListener::claim(&path).unwrap();
        assert_eq!(fresh.local_addr().unwrap().as_pathname(), Some(&*path));
    });
}

#[test]
fn the_living_stay() {
    watched("the_living_stay", || {
        let place = Place::new();
        let path = place.at("socket");
        let living = Std::bind(&path).unwrap();
        in_use(UnixListener::claim(&path));
        // Each probe is a connection that nobody accepts; a full backlog is a sign of life too.
        for _ in 0..200 {
            in_use(UnixListener::claim(&path));
        }
        assert!(path.exists());
        living.accept().unwrap();
        let other = place.at("datagrams");
        let _living = UnixDatagram::bind(&other).unwrap();
        in_use(UnixListener::claim(&other));
        let ours = place.at("ours");
        let _ours = UnixListener::claim(&ours).unwrap();
        in_use(UnixListener::claim(&ours));
        assert!(other.exists() && ours.exists());
    });
}

#[test]
fn what_is_no_socket_stays() {
    watched("what_is_no_socket_stays", || {
        let place = Place::new();
        let (file, link) = (place.at("file"), place.at("link"));
        std::fs::write(&file, "precious").unwrap();
        in_use(UnixListener::claim(&file));
        drop(Std::bind(place.at("dead")).unwrap());
        std::os::unix::fs::symlink(place.at("dead"), &link).unwrap();
        in_use(UnixListener::claim(&link));
        in_use(UnixListener::claim(&place.0));
        assert_eq!(std::fs::read(&file).unwrap(), b"precious");
        assert!(link.exists());
        let nowhere = UnixListener::claim(place.at("no/such/directory")).unwrap_err();
        assert_eq!(nowhere.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn the_file_of_another_is_not_removed() {
    watched("the_file_of_another_is_not_removed", || {
        let place = Place::new();
        let path = place.at("socket");
        let listener = UnixListener::claim(&path).unwrap();
        std::fs::rename(&path, place.at("moved")).unwrap();
        let heir = Std::bind(&path).unwrap();
        drop(listener);
        assert!(path.exists(), "it is the heir's");
        drop(heir);
        let given = UnixListener::claim(place.at("given")).unwrap();
        drop(given.into_std().unwrap());
        assert!(place.at("given").exists(), "std's listener keeps it");
    });
}

#[test]
fn of_many_that_claim_one_has_it() {
    watched("of_many_that_claim_one_has_it", || {
        let place = Place::new();
        for round in 0..20 {
            let path = place.at(&format!("socket-{round}"));
            drop(Std::bind(&path).unwrap());
            let start = Arc::new(Barrier::new(8));
            let claims: Vec<_> = (0..8)
                .map(|_| {
                    let (path, start) = (path.clone(), start.clone());
                    std::thread::spawn(move || {
                        start.wait();
                        UnixListener::claim(path)
                    })
                })
                .collect();
            let claims: Vec<_> = claims.into_iter().map(|claim| claim.join().unwrap()).collect();
            let won: Vec<_> = claims.into_iter().filter_map(Result::ok).collect();
            assert_eq!(won.len(), 1, "in round {round}");
            reseau::block_on(async {
                let client = UnixStream::connect(&path).await.expect("the one is reached");
                let _server = won[0].accept().await.unwrap();
                drop(client);
            });
        }
    });
}

#[test]
fn the_blocking_door_claims_too() {
    use reseau::blocking::UnixListener;
    watched("the_blocking_door_claims_too", || {
        let place = Place::new();
        let path = place.at("socket");
        drop(Std::bind(&path).unwrap());
        let listener = UnixListener::claim(&path).unwrap();
        assert_eq!(UnixListener::claim(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        let clone = listener.try_clone().unwrap();
        drop(clone);
        assert!(path.exists(), "a clone owns no file");
        let client = reseau::blocking::UnixStream::connect(&path).unwrap();
        listener.accept().unwrap();
        drop((client, listener));
        assert!(!path.exists());
        let given = std::os::fd::OwnedFd::from(UnixListener::claim(&path).unwrap());
        drop(given);
        assert!(path.exists(), "who takes the descriptor takes the file");
    });
}
