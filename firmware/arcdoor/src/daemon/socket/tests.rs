use super::*;
use crate::device::Outcome;
use crate::home::settings::SocketSettings;
use arcdoor_api::{MAX_CALL_BYTES, Request, Response, Said};
use std::io::{BufRead, BufReader, Write};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// A socket whose door is the test.
struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
    asked: Receiver<Asked>,
    socket: Socket,
}

fn place() -> Place {
    place_at(None)
}

fn place_at(link: Option<Arc<Link>>) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let (door, asked) = sync_channel(2);
    let socket = Socket::open(&path, Guests::new(SocketSettings::default()), door, link).unwrap();
    Place { _folder: folder, path, asked, socket }
}

impl Place {
    fn call(&self, text: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.path).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    /// Takes the next request, as the loop does.
    fn next(&self) -> Asked {
        self.asked.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

const LIST: &str = "{\"arcdoor_call\":1,\"request\":\"list\"}\n";

fn said(stream: &UnixStream) -> Vec<Said> {
    BufReader::new(stream).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

fn failed(stream: &UnixStream) -> (u8, String) {
    match said(stream).pop() {
        Some(Said::Failed { code, error, .. }) => (code, error),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_comes_in_and_what_is_said_to_it_goes_out() {
    let place = place();
    let stream = place.call(LIST);
    let Asked { request, mut caller, .. } = place.next();
    assert_eq!(request, Request::List);
    caller.answer(&Response::ReplayEnded { frames: 3 }).unwrap();
    caller.ended(Ok(Outcome::Refused));
    let answer = Said::Answer(Box::new(Response::ReplayEnded { frames: 3 }));
    assert_eq!(said(&stream), [answer, Said::Ended { code: 1 }]);
}

#[test]
fn what_is_no_request_or_none_for_a_running_door_is_refused_with_its_reason() {
    let place = place();
    // A place that was given back may be taken for a moment longer.
    let ask = |text: &str| {
        let mut answers = std::iter::repeat_with(|| failed(&place.call(text)));
        answers.find(|(_, error)| !error.contains("answers others")).unwrap()
    };
    let call = |request: &str| ask(&format!("{{\"arcdoor_call\":1,\"request\":{request}}}\n"));
    for (text, code, says) in [
        (ask("hello\n"), 3, "no request"),
        (ask("{\"arcdoor_call\":9,\"request\":\"list\"}\n"), 3, "version 1"),
        (call("{\"explode\":{}}"), 3, "no request"),
        (
            call("{\"identify\":{\"from\":{\"camera\":\"/dev/video9\"},\"annotate\":null}}"),
            2,
            "its own camera",
        ),
        (call("{\"identify\":{\"from\":{\"replay\":\"/tmp\"},\"annotate\":null}}"), 2, "its own frames"),
        (
            call(&format!(
                "{{\"identify\":{{\"from\":{{\"photos\":[{}\"a\"]}},\"annotate\":null}}}}",
                "\"a\",".repeat(64)
            )),
            2,
            "at most 64",
        ),
    ] {
        assert!(text.0 == code && text.1.contains(says), "{text:?}: {says}");
    }
    assert!(place.asked.try_recv().is_err());
}

#[test]
fn whoever_lies_about_sizes_or_never_comes_to_the_end_is_turned_away() {
    let place = place();
    let mut long = UnixStream::connect(&place.path).unwrap();
    long.write_all(&vec![b'x'; MAX_CALL_BYTES + 8192]).unwrap();
    assert!(failed(&long).1.contains("at most"));
    let slow = place.call("{\"arcdoor_call\":1,");
    let begun = Instant::now();
    assert_eq!(failed(&slow), (5, "the request did not come whole within 5 s".to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(60));
    let stream = place.call(LIST);
    place.next().caller.ended(Ok(Outcome::Done));
    assert_eq!(said(&stream), [Said::Ended { code: 0 }], "and others are served");
}

#[test]
fn one_user_takes_four_places() {
    let place = place();
    let calls: Vec<_> = (0..MAX_CALLS_OF_ONE)
        .map(|_| {
            let call = place.call(LIST);
            (call, place.next())
        })
        .collect();
    let more = failed(&place.call(LIST));
    assert!(more.0 == 5 && more.1.contains("answers others"), "{more:?}");
    for (call, Asked { mut caller, .. }) in calls {
        caller.ended(Ok(Outcome::Done));
        assert_eq!(said(&call), [Said::Ended { code: 0 }]);
    }
}

#[test]
fn the_queue_has_an_end_and_what_waits_in_it_is_served() {
    let place = place();
    let calls: Vec<_> = (0..3).map(|_| place.call(LIST)).collect();
    let busy = |call: &UnixStream| {
        call.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        BufReader::new(call)
            .lines()
            .next()
            .is_some_and(|line| line.is_ok_and(|line| line.contains("too much to do")))
    };
    assert_eq!(calls.iter().filter(|call| busy(call)).count(), 1, "the queue holds two");
    (0..2).for_each(|_| place.next().caller.ended(Ok(Outcome::Done)));
}

#[test]
fn whoever_hangs_up_or_does_not_read_keeps_the_loop_no_longer_than_a_moment() {
    let place = place();
    drop(place.call(LIST));
    let Asked { caller, .. } = place.next();
    let begun = Instant::now();
    while !caller.is_gone() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody noticed");
        std::thread::sleep(Duration::from_millis(20));
    }
    let _deaf = place.call(LIST);
    let Asked { mut caller, .. } = place.next();
    let answer = Response::Failed { photo: "x".repeat(4096), code: 3, error: String::new() };
    let refused = (0..100_000).find(|_| caller.answer(&answer).is_err());
    assert!(refused.is_some() && caller.is_gone());
}

#[test]
fn a_door_that_stops_says_so_and_leaves_no_file() {
    let place = place();
    let stream = place.call(LIST);
    let Asked { caller, .. } = place.next();
    drop(place.socket);
    assert!(!place.path.exists());
    let (code, error) = failed(&stream);
    assert!(code == 5 && error.contains("stopping"), "{error}");
    drop(caller);
}

#[test]
fn a_file_that_a_killed_process_left_is_replaced_and_others_see_a_private_socket() {
    let place = place();
    let open = || Socket::open(&place.path, Guests::new(SocketSettings::default()), sync_channel(1).0, None);
    let refused = || open().err().unwrap().to_string();
    assert!(refused().contains("another program listens there: stop it"), "{}", refused());
    drop(place.socket);
    drop(UnixListener::bind(&place.path).unwrap());
    let again = open().unwrap();
    assert_eq!(std::fs::metadata(&place.path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(again);
    std::fs::write(&place.path, "a file").unwrap();
    assert!(refused().contains("something else than a socket is there: remove it"), "{}", refused());
    let long = PathBuf::from(format!("/tmp/{}", "x".repeat(200)));
    let refused = Socket::open(&long, Guests::new(SocketSettings::default()), sync_channel(1).0, None);
    assert!(refused.err().unwrap().to_string().contains("107 bytes"));
}

#[test]
fn the_socket_opens_to_everybody_while_the_installer_is_sought_and_to_nobody_else_before_and_after() {
    let link = Arc::new(Link::default());
    let place = place_at(Some(link.clone()));
    let mode = || std::fs::metadata(&place.path).unwrap().permissions().mode() & 0o777;
    let until = |wanted: u32| {
        let begun = Instant::now();
        while mode() != wanted {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:o} stays", mode());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    assert_eq!(mode(), 0o600);
    link.free_installer(600);
    until(0o666);
    link.free_installer(0);
    until(0o600);
}
