//! The real Makefile with the real cargo, in a workspace that is built in a second. Its lab and its shop are the real
//! programs, started by another name.

use std::time::SystemTime;

use flash_sale_lab::check::verdict::{CheckReport, CheckVerdict};

use super::*;

/// A checkout with nothing built.
struct Checkout {
    folder: TempDir,
}

impl Checkout {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("flash sale make ").tempdir().unwrap();
        let checkout = Self { folder };
        let makefile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Makefile");
        checkout.write("Makefile", &fs::read_to_string(&makefile).unwrap());
        let script = "crates/lab/why-not-built.sh";
        checkout.write(script, &fs::read_to_string(makefile.with_file_name(script)).unwrap());
        checkout.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n");
        let shop = Path::new(LAB).with_file_name("flash-sale-web");
        for (name, program) in [("lab", LAB), ("flash-sale-web", shop.to_str().unwrap())] {
            let manifest = format!("[package]\nname = {name:?}\nedition = \"2024\"\n");
            checkout.write(&format!("crates/{name}/Cargo.toml"), &manifest);
            let code = format!(
                "use std::os::unix::process::CommandExt;\n\
                 fn main() {{\n    \
                     let mut program = std::process::Command::new({program:?});\n    \
                     panic!(\"{{}}\", program.args(std::env::args_os().skip(1)).exec());\n\
                 }}\n"
            );
            checkout.write(&format!("crates/{name}/src/main.rs"), &code);
        }
        let lock = checkout.command("cargo").args(["generate-lockfile", "--offline"]).output();
        assert!(lock.unwrap().status.success());
        checkout
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes `lab` print where it is and which arguments it got, and nothing more.
    fn have_lab_tell(&self) {
        let code = "fn main() {\n    println!(\"{}\", std::env::current_exe().unwrap().display());\n    \
                    println!(\"{:?}\", std::env::args().skip(1).collect::<Vec<_>>());\n}\n";
        self.write("crates/lab/src/main.rs", code);
    }

    fn command(&self, program: &str) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        let others =
            ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_TARGET", "MAKEFLAGS", "MAKELEVEL"];
        for name in OF_ONE_SHOP.iter().chain(&others) {
            command.env_remove(name);
        }
        command.current_dir(self.folder.path());
        command
    }

    fn make(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command("make").args(arguments).output().unwrap())
    }
}

#[test]
fn every_command_finds_the_lab_wherever_cargo_builds_to() {
    let elsewhere = tempfile::Builder::new().prefix("else where ").tempdir().unwrap();
    let elsewhere = elsewhere.path().canonicalize().unwrap();
    let host = Outcome::of(std::process::Command::new("rustc").args(["-vV"]).output().unwrap()).output;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
    let checkout = Checkout::new();
    checkout.have_lab_tell();
    let config = format!("[build]\ntarget-dir = {:?}\n", elsewhere.join("by config"));

    let target = checkout.folder.path().canonicalize().unwrap().join("target");
    let cases = [
        (None, "", target.join("debug/lab")),
        // From here on, there is an older lab in target/.
        (
            Some(("CARGO_TARGET_DIR", elsewhere.join("by variable"))),
            "",
            elsewhere.join("by variable/debug/lab"),
        ),
        (
            Some(("CARGO_BUILD_TARGET_DIR", elsewhere.join("by other"))),
            "",
            elsewhere.join("by other/debug/lab"),
        ),
        (None, &config, elsewhere.join("by config/debug/lab")),
        (Some(("CARGO_BUILD_TARGET", host.clone().into())), "", target.join(&host).join("debug/lab")),
    ];
    for (variable, config, lab) in cases {
        checkout.write(".cargo/config.toml", config);
        for (command, told) in [("run", r#"["up", "--built"]"#), ("build", r#"["restart", "--built"]"#)] {
            let mut make = checkout.command("make");
            let made = make.args(["-s", command]).envs(variable.clone()).output().unwrap();
            let made = Outcome::of(made);
            assert_eq!(made.output, format!("{}\n{told}\n", lab.display()), "{command}: {}", made.errors);
        }
        // The commands find the lab also without the variable.
        for (command, told) in
            [("stop", r#"["down"]"#), ("status", r#"["status"]"#), ("check", r#"["check"]"#)]
        {
            let made = checkout.make(&["-s", command]);
            assert_eq!(made.output, format!("{}\n{told}\n", lab.display()), "{command}: {}", made.errors);
        }
    }
}

#[test]
fn what_compiles_no_more_gets_a_verdict_of_its_own_and_the_shop_can_be_stopped() {
    let checkout = Checkout::new();
    let stopped = checkout.make(&["-s", "stop"]);
    assert_eq!(stopped.output, "Nothing is running.\n", "{}", stopped.errors);

    checkout.write("crates/flash-sale-web/src/main.rs", "mistake");
    // This verdict is of an earlier round.
    checkout.write("verdict.json", r#"{ "closing": "FIXED: 372 purchases, 0 oversold" }"#);
    let graded = graders_loop(&checkout);

    assert!(graded.output.contains(r#""closing": "NOT BUILT: "#), "{}\n{}", graded.output, graded.errors);
    let report: Value = serde_json::from_slice(&fs::read(checkout.path("verdict.json")).unwrap()).unwrap();
    assert_eq!(report["verdict"], "not_built");
    let stopped = checkout.make(&["-s", "stop"]);
    assert_eq!(stopped.output, "Nothing is running.\n", "{}", stopped.errors);
}

#[test]
fn what_has_never_compiled_gets_the_same_verdict() {
    let checkout = Checkout::new();
    checkout.write("crates/lab/src/main.rs", "mistake");

    let checked = checkout.make(&["-s", "check", "ARGS=--rounds 1 --json"]);
    assert_eq!(checked.code, 2);
    let report: Value =
        serde_json::from_str(&checked.output).unwrap_or_else(|_| panic!("{}", checked.errors));
    let said = "the present files do not compile".to_owned();
    assert_eq!(
        report,
        serde_json::to_value(CheckReport::without_verdict(CheckVerdict::NotBuilt, said)).unwrap()
    );
    let in_words = checkout.make(&["-s", "check"]);
    assert_eq!((in_words.code, &*in_words.output), (2, ""));

    let graded = graders_loop(&checkout);
    assert!(graded.output.contains(r#""closing": "NOT BUILT: "#), "{}\n{}", graded.output, graded.errors);
}

/// Runs the loop for graders from README.md, in the folder above one checkout.
fn graders_loop(checkout: &Checkout) -> Outcome {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let begin = readme.find("for checkout in */; do").unwrap();
    let script = readme[begin..].split_once("\n```").unwrap().0;
    let above = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(checkout.folder.path(), above.path().join("one")).unwrap();
    Outcome::of(checkout.command("sh").args(["-c", script]).current_dir(above.path()).output().unwrap())
}

/// Cargo alone would not notice that something has changed.
#[test]
fn a_file_that_is_put_back_with_its_old_time_is_built_again() {
    let checkout = Checkout::new();
    let shop = "crates/flash-sale-web/src/main.rs";
    let says = |text: &str| format!("fn main() {{ println!({text:?}); }}\n");
    let long_ago = SystemTime::now() - std::time::Duration::from_secs(3600);
    checkout.write("kept.rs", &says("as it was"));
    let kept = fs::File::options().write(true).open(checkout.path("kept.rs")).unwrap();
    kept.set_times(fs::FileTimes::new().set_modified(long_ago)).unwrap();

    checkout.write(shop, &says("edited"));
    let built = Outcome::of(checkout.command(LAB).args(["check", "--json"]).output().unwrap());
    assert!(built.output.contains("not_judged"), "{}", built.errors);
    let shop_says =
        || checkout.command(checkout.path("target/debug/flash-sale-web").to_str().unwrap()).output().unwrap();
    assert_eq!(shop_says().stdout, b"edited\n");

    fs::rename(checkout.path("kept.rs"), checkout.path(shop)).unwrap();
    let cargo =
        checkout.command("cargo").args(["build", "--workspace", "--locked", "--offline"]).output().unwrap();
    assert!(cargo.status.success());
    assert_eq!(shop_says().stdout, b"edited\n", "cargo has seen nothing");
    let built = Outcome::of(checkout.command(LAB).args(["check", "--json"]).output().unwrap());

    assert!(built.errors.contains("its time of change was wrong"), "{}", built.errors);
    assert!(built.output.starts_with('{'), "{}", built.output);
    assert_eq!(shop_says().stdout, b"as it was\n");
}
