// What Rust programs use of std. Prints "ok <part>" or "FAILED <part> ..."; exit code 1 if any failed.
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{symlink, FileExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, Once, OnceLock, RwLock};
use std::time::{Duration, Instant, SystemTime};
use std::{env, panic, thread};

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn values() -> Outcome {
    let mut words: HashMap<String, usize> = HashMap::new();
    for word in "a b a".split(' ') {
        *words.entry(word.to_string()).or_default() += 1;
    }
    assert_eq!(words["a"], 2);
    let sorted: BTreeMap<_, _> = words.into_iter().collect();
    assert_eq!(format!("{sorted:?}"), r#"{"a": 2, "b": 1}"#);
    assert_eq!((1..=20u64).product::<u64>(), 2432902008176640000);
    let large: Vec<u64> = (0..4_000_000).collect();
    assert_eq!(large.iter().sum::<u64>(), 7999998000000);
    assert!(panic::catch_unwind(|| panic!("on purpose")).is_err());
    Ok(())
}

fn files() -> Outcome {
    fs::create_dir_all("made/deep")?;
    fs::write("made/a", "hello")?;
    fs::hard_link("made/a", "made/b")?;
    symlink("a", "made/c")?;
    fs::rename("made/b", "made/d")?;
    fs::copy("made/a", "made/e")?;
    assert_eq!(fs::read_link("made/c")?.to_str(), Some("a"));
    assert!(fs::canonicalize("made/c")?.ends_with("made/a"));
    fs::set_permissions("made/a", fs::Permissions::from_mode(0o600))?;
    let mut file = OpenOptions::new().read(true).write(true).open("made/a")?;
    file.write_all_at(b"H", 0)?;
    let mut one = [0u8; 1];
    file.read_exact_at(&mut one, 0)?;
    assert_eq!(&one, b"H");
    file.seek(SeekFrom::End(0))?;
    file.write_all(b" world")?;
    file.sync_all()?;
    file.sync_data()?;
    file.set_len(4)?;
    file.set_times(fs::FileTimes::new().set_modified(SystemTime::UNIX_EPOCH))?;
    assert!(file.try_clone()?.as_raw_fd() >= 0 && file.metadata()?.size() == 4);
    std::os::unix::fs::chown("made/a", None, None)?;
    assert_eq!(fs::read_dir("made")?.count(), 5);
    fs::remove_dir_all("made")?;
    let mut text = String::new();
    fs::write("/tmp/a", "x\ny\n")?;
    BufReader::new(File::open("/tmp/a")?).read_line(&mut text)?;
    assert_eq!(text, "x\n");
    io::copy(&mut File::open("/tmp/a")?, &mut File::create("/tmp/b")?)?;
    assert!(env::current_dir()?.is_absolute() && !io::stdin().is_terminal());
    env::set_current_dir(env::current_dir()?)?;
    Ok(())
}

fn threads() -> Outcome {
    let total = Arc::new((Mutex::new(0), Condvar::new(), Barrier::new(3)));
    let workers: Vec<_> = (0..3)
        .map(|number| {
            let total = Arc::clone(&total);
            thread::Builder::new().name(format!("worker-{number}")).stack_size(1 << 18).spawn(move || {
                total.2.wait();
                *total.0.lock().unwrap() += number;
                total.1.notify_all();
            })
        })
        .collect::<io::Result<_>>()?;
    for worker in workers {
        worker.join().map_err(|_| "a thread panicked")?;
    }
    assert_eq!(*total.0.lock().unwrap(), 3);
    let waited = total.1.wait_timeout(total.0.lock().unwrap(), Duration::from_millis(1)).unwrap();
    assert!(waited.1.timed_out());
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| sender.send(5));
    });
    assert_eq!(receiver.recv_timeout(Duration::from_secs(1))?, 5);
    let count = AtomicUsize::new(0);
    Once::new().call_once(|| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    static CELL: OnceLock<u8> = OnceLock::new();
    assert_eq!((*CELL.get_or_init(|| 7), *RwLock::new(1).read().unwrap(), count.into_inner()), (7, 1, 1));
    thread::park_timeout(Duration::from_millis(1));
    thread::sleep(Duration::from_millis(1));
    thread::yield_now();
    assert!(thread::available_parallelism()?.get() > 0 && Instant::now().elapsed() < Duration::from_secs(1));
    Ok(())
}

fn processes() -> Outcome {
    let output = Command::new("/bin/sh").args(["-c", "echo hi | tr a-z A-Z"]).output()?;
    assert_eq!(output.stdout, b"HI\n");
    let mut cat = Command::new("/bin/cat").stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir("/tmp").spawn()?;
    cat.stdin.take().unwrap().write_all(b"through")?;
    let mut text = String::new();
    cat.stdout.take().unwrap().read_to_string(&mut text)?;
    assert!(text == "through" && cat.wait()?.success());
    let mut sleeper = Command::new("/bin/sleep").arg("50").process_group(0).env_clear().spawn()?;
    assert!(sleeper.try_wait()?.is_none());
    sleeper.kill()?;
    assert_eq!(sleeper.wait()?.signal(), Some(9));
    assert_eq!(Command::new("/bin/sh").args(["-c", "exit 3"]).status()?.code(), Some(3));
    let mut with_hook = Command::new("/bin/true");
    unsafe { with_hook.pre_exec(|| Ok(())) };
    assert!(with_hook.status()?.success() && std::process::id() > 0 && std::os::unix::process::parent_id() > 0);
    Ok(())
}

fn sockets() -> Outcome {
    let listener = UnixListener::bind("/tmp/server")?;
    let server = thread::spawn(move || listener.accept().and_then(|(mut stream, _)| stream.write_all(b"served")));
    let mut text = String::new();
    UnixStream::connect("/tmp/server")?.read_to_string(&mut text)?;
    assert_eq!(text, "served");
    server.join().map_err(|_| "the server panicked")??;
    let (left, right) = UnixDatagram::pair()?;
    left.send(b"x")?;
    right.set_read_timeout(Some(Duration::from_secs(1)))?;
    assert_eq!(right.recv(&mut [0; 4])?, 1);
    let (mut near, far) = UnixStream::pair()?;
    far.set_nonblocking(true)?;
    assert_eq!((&far).read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    near.flush()?;
    near.shutdown(std::net::Shutdown::Both)?;
    Ok(())
}

fn network() -> Outcome {
    let begun = Instant::now();
    assert!(TcpStream::connect("127.0.0.1:9").is_err() && TcpStream::connect("192.0.2.1:80").is_err());
    assert!("example.org:80".to_socket_addrs().is_err());
    let _ = (TcpListener::bind("127.0.0.1:0"), UdpSocket::bind("0.0.0.0:0"));
    assert!(begun.elapsed() < Duration::from_secs(3), "the network must fail at once");
    Ok(())
}

fn main() {
    let parts: [(&str, fn() -> Outcome); 6] = [
        ("values", values),
        ("files", files),
        ("threads", threads),
        ("processes", processes),
        ("sockets", sockets),
        ("network", network),
    ];
    let mut code = 0;
    for (name, part) in parts {
        match panic::catch_unwind(part) {
            Ok(Ok(())) => println!("ok {name}"),
            Ok(Err(error)) => (code, _) = (1, println!("FAILED {name} {error}")),
            Err(_) => (code, _) = (1, println!("FAILED {name}")),
        }
    }
    std::process::exit(code);
}
