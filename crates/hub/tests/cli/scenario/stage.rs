//! Where a scenario happens: a hub, a lab, the folder of the company, and people with a second factor.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Stdio,
};

use bailiwick_connector::seal::code_at;
use bailiwick_core::factor::STEP_SECONDS;

use super::{
    names::Names,
    script::{FIRST, Part, Script, Step},
};
use crate::world::World;

/// Where documents say that the hub and the lab listen.
pub const ADDRESSES: (&str, &str) = ("127.0.0.1:7460", "127.0.0.1:7461");

/// The device of somebody: what it was given, and the last step whose code was used.
struct Device {
    address: String,
    last: i64,
}

/// A hub that was just set up, and a lab.
pub struct Stage {
    world: World,
    names: Names,
    devices: BTreeMap<String, Device>,
}

impl Stage {
    /// Sets both up.
    pub fn new() -> Self {
        let mut world = World::empty();
        world
            .run(&["init", "data", "--operator", FIRST, "--person", "hr/1", "--origin", "bailiwick.test/log"])
            .well();
        world.start_hub();
        world.start_lab();
        Self { world, names: Names::default(), devices: BTreeMap::new() }
    }

    /// Lets a document happen, after what must have happened before; it then says what was printed.
    pub fn play(&mut self, script: &mut Script) {
        if let Some(before) = &script.after {
            self.play(&mut Script::read(before));
        }
        self.names = Names::default();
        for part in &mut script.parts {
            match part {
                Part::Prose(_) => {}
                Part::File { path, content, .. } => {
                    self.world.write(path, content.replace(ADDRESSES.1, self.world.lab()));
                }
                Part::Edit { path, before, after, .. } => {
                    let file = self.world.path(path);
                    let text = fs::read_to_string(&file).unwrap().replace(self.world.lab(), ADDRESSES.1);
                    assert_eq!(text.matches(&*before).count(), 1, "once in {path}: {before}");
                    self.world
                        .write(path, text.replace(&*before, after).replace(ADDRESSES.1, self.world.lab()));
                }
                Part::Console(steps) => steps.iter_mut().for_each(|step| self.run(step)),
            }
        }
    }

    /// Runs a command once nothing is left to do. What waits for a credential is not waited for.
    fn run(&mut self, step: &mut Step) {
        if step.words.get(1).is_none_or(|command| command != "credential") {
            self.world.run(&["status", "--wait", "60"]).well();
        }
        let words: Vec<String> = step.words.iter().map(|word| self.meant(word, &step.operator)).collect();
        let (program, args) = words.split_first().unwrap();
        let printed = match program.as_str() {
            "bailiwick" => self.bailiwick(&step.operator, args),
            "curl" => self.curl(args),
            _ => panic!("no such program: {program}"),
        };
        let shown = printed
            .replace(&self.world.root().display().to_string(), "DIR")
            .replace(self.world.lab(), ADDRESSES.1)
            .replace(&self.hub(), ADDRESSES.0);
        step.output = self.names.mask(&shown);
    }

    fn bailiwick(&mut self, operator: &str, args: &[String]) -> String {
        let profile = format!("{operator}.profile.toml");
        let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
        if operator != FIRST {
            args.extend(["--profile", &profile]);
        }
        let (mut reader, writer) = std::io::pipe().unwrap();
        // One pipe for both, so that what is printed comes in the order in which people see it.
        let mut child = {
            let mut command = self.world.command(&args);
            command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
            command.spawn().unwrap()
        };
        let mut printed = String::new();
        reader.read_to_string(&mut printed).unwrap();
        let code = child.wait().unwrap().code().unwrap();
        if let (["operator", "enrol", name, ..], 0) = (&args[..], code) {
            let address = printed.lines().find(|line| line.starts_with("otpauth:")).unwrap().to_owned();
            self.devices.insert((*name).to_owned(), Device { address, last: i64::MIN });
        }
        if code != 0 {
            printed.push_str(&format!("exit code {code}\n"));
        }
        printed
    }

    /// A word of a command with what stands for something in place of its name.
    fn meant(&mut self, word: &str, operator: &str) -> String {
        match word {
            "CODE" => self.code(operator),
            _ => {
                let word = self.names.meant(word).replace(ADDRESSES.0, &self.hub());
                word.replace(ADDRESSES.1, self.world.lab())
            }
        }
    }

    /// The next code that the device of somebody shows and that was not used.
    #[allow(clippy::disallowed_methods, reason = "the hub in the other process has the real clock")]
    fn code(&mut self, operator: &str) -> String {
        let device = self.devices.get_mut(operator).unwrap_or_else(|| panic!("{operator} is not enrolled"));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        device.last = (now.as_secs() as i64).div_euclid(STEP_SECONDS).max(device.last + 1);
        code_at(&device.address, device.last).unwrap().to_string()
    }

    fn hub(&self) -> String {
        let profile = fs::read_to_string(self.world.path("profile.toml")).unwrap();
        profile.split("http://").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    /// What `curl [-X METHOD] [-H HEADER]… --json BODY URL` prints.
    fn curl(&self, args: &[String]) -> String {
        let (mut method, mut headers, mut body, mut url) = ("POST", String::new(), "", "");
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "-X" => method = args.next().unwrap(),
                "-H" => headers.push_str(&format!("{}\r\n", args.next().unwrap())),
                "--json" => body = args.next().unwrap(),
                other => url = other,
            }
        }
        let (host, path) = url.strip_prefix("http://").and_then(|url| url.split_once('/')).unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "{method} /{path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        format!("{}\n", body.trim_end())
    }
}
