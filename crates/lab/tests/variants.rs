//! What `lab check` says of right fixes, wrong fixes and tricks. Each file in `variants/` is one of them, as a patch of
//! the shipped tree. Three more stand in DETONADO.md, whose readers try them. The test applies, builds, runs and judges them in copies of this tree, one after the other in each copy.
//!
//! ```sh
//! make test-variants
//! make test-variants VARIANT=guide-fix,nowait
//! ```

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

#[path = "../../explorer/tests/explorer/model.rs"]
mod model;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

use flash_sale_core::environment;
use flash_sale_lab::guide::wrong_fix::WrongFix;
use flash_sale_lab::guide::{Edit, GUIDE, drift};
use flash_sale_testbed::shop_settings::OF_ONE_SHOP;
use flash_sale_testbed::testing::AtTheEnd;
use model::{Model, count};
use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;

/// The longest time of a check, in seconds.
const LIMIT: f64 = 30.0;
/// So many variants are judged at the same time, each in a copy of its own: a check mostly waits for payments.
const COPIES: usize = 2;

/// The wrong fixes that the walkthrough shows, in its order. It has their text.
const OF_THE_GUIDE: [&str; 3] = ["mutex-in-process", "looks-twice", "repeatable-read"];

/// The check that plays the interleavings.
const PROOF: &str = "every interleaving";

/// A patch, and what the check must say of it.
struct Variant {
    name: &'static str,
    verdict: &'static str,
    /// The checks that must fail.
    failed: &'static [&'static str],
    /// The checks that may fail as well. That depends on which buyers happen to meet.
    maybe: &'static [&'static str],
    /// The name that the mistake must get. Empty: it is a fix, and has none.
    mistake: &'static str,
    /// What a purchase sends, for the independent model, which counts the interleavings. Empty: the model has no words
    /// for it.
    sends: &'static [Model],
}

use Model::{Begin, Commit, Insert, Lock, Read, ReadLocked, Take, TakeIfAny};
const AS_SHIPPED: &[Model] = &[Begin, Read, Insert, Take, Commit];
const WITH_ROW_LOCK: &[Model] = &[Begin, ReadLocked, Insert, Take, Commit];

const fn fixed(name: &'static str) -> Variant {
    Variant { name, verdict: "fixed", failed: &[], maybe: &[], mistake: "", sends: &[] }
}

const fn not_fixed(name: &'static str, failed: &'static [&'static str]) -> Variant {
    Variant { verdict: "not_fixed", failed, ..fixed(name) }
}

const fn oversold(name: &'static str, failed: &'static [&'static str]) -> Variant {
    Variant { verdict: "oversold", failed, ..fixed(name) }
}

impl Variant {
    const fn or(self, maybe: &'static [&'static str]) -> Self {
        Self { maybe, ..self }
    }

    const fn is(self, mistake: &'static str) -> Self {
        Self { mistake, ..self }
    }

    const fn sends(self, sends: &'static [Model]) -> Self {
        Self { sends, ..self }
    }

    fn is_a_patch(&self) -> bool {
        self.name != "shipped" && !OF_THE_GUIDE.contains(&self.name)
    }
}

const VARIANTS: &[Variant] = &[
    oversold("shipped", &["one click", "crowd of 50", "crowd of 200"]).is("no_lock").sends(AS_SHIPPED),
    fixed("guide-fix").sends(WITH_ROW_LOCK),
    fixed("atomic-update").sends(&[Begin, Read, TakeIfAny, Insert, Commit]),
    fixed("optimistic"),
    fixed("nowait"),
    not_fixed("lock-in-get-by-id", &["readers don't wait"]).is("lock_too_broad"),
    not_fixed("lock-on-the-table", &["other products don't wait"]).is("lock_too_broad"),
    // The second request of a click comes just late enough. The requests of a crowd don't.
    not_fixed("lock-after-insert", &["no lost sale", "no failures"]).is("lock_after_insert").or(&[
        "one click",
        "crowd of 50",
        "crowd of 200",
    ]),
    oversold("mutex-in-process", &["one click", "crowd of 50", "other products don't wait"])
        .is("guard_in_one_process")
        .or(&["crowd of 200"])
        .sends(AS_SHIPPED),
    // With the proof, it is known to oversell. Without the proof, the clicks don't show it.
    Variant {
        verdict: "not_fixed or oversold",
        ..not_fixed("one-replica", &["other products don't wait", "replicas", "retry"])
            .is("guard_in_one_process")
    },
    oversold("retry-removed", &["crowd of 50", "crowd of 200", "retry"])
        .is("retry_missing")
        .sends(AS_SHIPPED),
    not_fixed("retry-removed-and-fixed", &["retry"]).is("retry_missing").sends(WITH_ROW_LOCK),
    Variant {
        name: "window-zero",
        verdict: "not_fixed or oversold",
        failed: &["race window", "retry"],
        maybe: &["one click", "crowd of 50", "crowd of 200"],
        mistake: "payment_cut_short",
        sends: AS_SHIPPED,
    },
    not_fixed("window-zero-and-fixed", &["race window", "retry"])
        .is("payment_cut_short")
        .sends(WITH_ROW_LOCK),
    oversold("atomic-update-unread", &["one click", "crowd of 50", "crowd of 200", "conservation"])
        .is("unread_row_count"),
    not_fixed("optimistic-without-retry", &["no lost sale"])
        .is("conflict_without_retry")
        .or(&["crowd of 200"]),
    // PostgreSQL may also take two purchases of different products for a conflict.
    not_fixed("serializable-without-retry", &["one click", "no lost sale", "no failures"])
        .is("conflict_without_retry")
        .or(&["crowd of 200", "other products don't wait"]),
    not_fixed("check-constraint-only", &["one click", "no failures", "no constraint"])
        .is("constraint_without_answer")
        .or(&["crowd of 200"]),
    not_fixed("check-constraint-swallowed", &["one click", "honest answers", "no constraint"])
        .is("untrue_answer"),
    not_fixed("constraint-and-fixed", &["no constraint"]).is("constraint_added"),
    not_fixed("never-returns", NOTHING_SOLD).is("fails_alone"),
    not_fixed("panics", NOTHING_SOLD).is("fails_alone").or(&["retry"]),
    not_fixed("exits", NOTHING_SOLD).is("fails_alone").or(&["retry", "conservation", "honest answers"]),
    fixed("no-key-update").sends(WITH_ROW_LOCK),
    fixed("advisory-lock").sends(&[Begin, Lock, Read, Insert, Take, Commit]),
    fixed("session-advisory-lock"),
    fixed("lock-after-payment").sends(&[Begin, Read, ReadLocked, Insert, Take, Commit]),
    fixed("decrement-first"),
    fixed("locked-and-set").sends(WITH_ROW_LOCK),
    fixed("serializable-with-retry"),
    fixed("in-a-function"),
    fixed("lock-with-a-limit"),
    fixed("single-statement").sends(&[Begin, Read, TakeIfAny, Commit]),
    oversold("lost-update", &["one click", "crowd of 50", "crowd of 200", "conservation"]).is("lost_update"),
    // A purchase needs two connections at once, and a crowd takes all of them.
    oversold("lock-outside-the-transaction", &["one click", "crowd of 50", "crowd of 200"])
        .is("lock_outside_transaction")
        .or(&["no failures"]),
    // Buyers who have inserted their orders hold a key lock on the product's row, and want to write the row. A buyer who
    // waits for FOR UPDATE stands before them in the queue, and waits for their key locks. PostgreSQL ends this deadlock.
    // It depends on which buyers happen to meet.
    oversold("lock-given-up-before-payment", &["one click", "crowd of 50", "crowd of 200"])
        .is("lock_given_up_early")
        .or(&["no failures"]),
    oversold("lock-the-orders", &["one click", "crowd of 50", "crowd of 200"]).is("lock_elsewhere"),
    // The oversold copy goes to a buyer by chance: to one who looks again before the first one commits.
    oversold("looks-twice", &[])
        .is("second_look")
        .or(&["crowd of 50", "crowd of 200", "one click"])
        .sends(&[Begin, Read, Read, Insert, Take, Commit]),
    oversold("jitter", &["crowd of 50", "crowd of 200", "one click"]).is("no_lock"),
    // It oversells in the first round. From the second round on, nothing is sold.
    oversold("sold-out-set", &["one click", "no lost sale"]).is("guard_in_one_process").or(&[
        "crowd of 50",
        "crowd of 200",
        "retry",
    ]),
    not_fixed("one-advisory-lock", &["other products don't wait"]).is("lock_too_broad"),
    not_fixed("one-at-a-time", &["other products don't wait"]).is("lock_too_broad"),
    not_fixed("for-share", &["one click", "no lost sale", "no failures"])
        .is("lock_too_weak")
        .or(&["crowd of 50", "crowd of 200"]),
    not_fixed("repeatable-read", &["one click", "no lost sale", "no failures"])
        .is("conflict_without_retry")
        .or(&["crowd of 200"]),
    not_fixed("unique-order", &["one click", "crowd of 200", "no lost sale", "no failures", "no constraint"])
        .is("constraint_without_answer"),
    // A buyer who is told yes without a sale has not paid either.
    not_fixed("says-yes-to-the-loser", &["one click", "honest answers"])
        .is("untrue_answer")
        .or(&["race window"]),
    not_fixed("refuses-everybody", NOTHING_SOLD_BUT_ANSWERED).is("refuses_everybody").or(&["retry"]),
    not_fixed("panics-for-the-loser", &["one click", "crowd of 200", "no failures"])
        .is("late_buyer_meets_failure"),
    not_fixed(
        "never-commits",
        &["one click", "crowd of 50", "crowd of 200", "honest answers", "no lost sale"],
    )
    .is("never_commits"),
    not_fixed("skip-locked", &["one click", "no lost sale", "no failures"])
        .is("row_skipped")
        .or(&["crowd of 50", "crowd of 200"]),
];

/// The checks that must fail for a shop that doesn't even sell to a buyer who is alone.
const NOTHING_SOLD: &[&str] = &[
    "one click",
    "crowd of 50",
    "crowd of 200",
    "no lost sale",
    "readers don't wait",
    "other products don't wait",
    "no failures",
    "replicas",
    "race window",
];

/// The same as [`NOTHING_SOLD`], for a shop that quickly tells each buyer that nothing is sold.
const NOTHING_SOLD_BUT_ANSWERED: &[&str] = &[
    "one click",
    "crowd of 50",
    "crowd of 200",
    "no lost sale",
    "other products don't wait",
    "replicas",
    "race window",
];

#[test]
#[ignore = "minutes: run by make test-variants"]
fn every_variant_is_judged_rightly_and_every_check_fails_for_one_of_them() {
    let only = environment::text("VARIANT", "").unwrap();
    let is_wanted = |variant: &&Variant| only.is_empty() || only.split(',').any(|name| name == variant.name);
    let to_judge = Mutex::new(VARIANTS.iter().filter(is_wanted));
    let judgements = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..COPIES {
            scope.spawn(|| {
                let copy = Copy::make();
                loop {
                    let Some(variant) = to_judge.lock().next() else { return };
                    let judgement = Judgement::of(variant, &copy.judge(variant, &[]));
                    println!("{}", judgement.line);
                    judgements.lock().push(judgement);
                }
            });
        }
    });
    let judgements = judgements.into_inner();
    let wrong: Vec<&str> = judgements.iter().filter_map(|judgement| judgement.wrong.as_deref()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    if !only.is_empty() {
        return;
    }
    let with_constraint = VARIANTS.iter().find(|variant| variant.name == "constraint-and-fixed").unwrap();
    let allowed = Copy::make().judge(with_constraint, &["--allow-constraint"]);
    assert_eq!(allowed["verdict"], "fixed", "{allowed:#}");
    let all: BTreeSet<&String> = judgements.iter().flat_map(|judgement| &judgement.all).collect();
    let failed_once: BTreeSet<&String> = judgements.iter().flat_map(|judgement| &judgement.failed).collect();
    assert_eq!(failed_once, all, "each check is failed by a variant");
}

/// What the check said of a variant.
struct Judgement {
    /// It in one line.
    line: String,
    /// What is wrong with it, if something is.
    wrong: Option<String>,
    /// All checks.
    all: BTreeSet<String>,
    /// Those that failed.
    failed: BTreeSet<String>,
}

impl Judgement {
    fn of(variant: &Variant, report: &Value) -> Self {
        let Variant { name, verdict, failed: must, maybe, mistake, sends } = variant;
        let names = |failed_only: bool| -> BTreeSet<String> {
            let checks = report["checks"].as_array().unwrap().iter();
            let checks = checks.filter(|check| !failed_only || check["passed"] == false);
            checks.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
        };
        let failed = names(true);
        let seconds = report["figures"]["seconds"].as_f64().unwrap();
        let named = report["mistake"]["name"].as_str().unwrap_or_default();
        let line = format!("{name:<28} {seconds:4.1} s  {}  {named}  {failed:?}", report["closing"]);
        // No right fix has an interleaving that breaks a rule. Which of the others has one is for the explorer's tests.
        let may_be_proven = |check: &str| check == PROOF && *verdict != "fixed";
        let said = report["verdict"].as_str().unwrap();
        let is_right = verdict.split(" or ").any(|verdict| verdict == said)
            && must.iter().all(|name| failed.contains(*name))
            && failed.iter().all(|name| {
                must.contains(&name.as_str()) || maybe.contains(&name.as_str()) || may_be_proven(name)
            })
            && named == *mistake
            && is_proof_as_counted(sends, &report["exploration"])
            && report["why"].is_null() == (*verdict != "fixed")
            && seconds <= LIMIT;
        let wrong = (!is_right).then(|| {
            format!("{line}\nexpected: {verdict}, {mistake}, {must:?}, perhaps {maybe:?}\n{report:#}")
        });
        Self { line, wrong, all: names(false), failed }
    }
}

/// Whether the interleavings are those that the model counts. After the first one that oversells, the check soon stops. On
/// a slow machine, it stops before it has played all of a fix.
fn is_proof_as_counted(sends: &[Model], played: &Value) -> bool {
    let counted = count(sends);
    let figure = |name: &str| played[name].as_u64().and_then(|figure| usize::try_from(figure).ok());
    let (Some(schedules), Some(oversold), Some(waited)) =
        (figure("schedules"), figure("oversold"), figure("waited"))
    else {
        return sends.is_empty();
    };
    let is_whole = (schedules, waited) == (counted.schedules, counted.waited);
    let is_cut_off = played["complete"] == false && schedules < counted.schedules;
    sends.is_empty() || ((oversold > 0) == (counted.oversold > 0) && (is_whole || is_cut_off))
}

#[test]
fn the_figures_of_a_proof_are_compared_with_the_model() {
    let played = |schedules: u64, oversold: u64, waited: u64, complete: bool| {
        serde_json::json!({
            "schedules": schedules, "oversold": oversold, "waited": waited, "complete": complete,
        })
    };

    for right in [played(36, 0, 24, true), played(20, 0, 10, false)] {
        assert!(is_proof_as_counted(WITH_ROW_LOCK, &right), "{right}");
    }
    for wrong in
        [played(35, 0, 24, true), played(36, 0, 23, true), played(36, 1, 24, true), played(40, 0, 24, false)]
    {
        assert!(!is_proof_as_counted(WITH_ROW_LOCK, &wrong), "{wrong}");
    }
    assert!(is_proof_as_counted(AS_SHIPPED, &played(17, 14, 0, false)));
    assert!(!is_proof_as_counted(AS_SHIPPED, &played(17, 0, 0, false)));
    assert!(!is_proof_as_counted(AS_SHIPPED, &Value::Null));
}

#[test]
fn every_patch_is_in_the_list_and_says_what_it_is() {
    let files = fs::read_dir(patches()).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let mut listed: Vec<&str> = VARIANTS.iter().map(|variant| variant.name).collect();
    names.push("shipped".to_owned());
    names.extend(OF_THE_GUIDE.map(str::to_owned));
    names.sort();
    listed.sort();
    assert_eq!(names, listed);

    for variant in VARIANTS.iter().filter(|variant| variant.is_a_patch()) {
        let patch = fs::read_to_string(patch(variant.name)).unwrap();
        assert!(patch.lines().next().unwrap().contains("Verdict: "), "{}", variant.name);
    }
}

/// This takes seconds, not minutes. One file is left out here: somebody who follows the walkthrough edits it.
#[test]
fn every_patch_still_fits_the_tree() {
    for variant in VARIANTS.iter().filter(|variant| variant.is_a_patch()) {
        let options = ["apply", "--check", "-C1", "--exclude=crates/repositories/src/product_repository.rs"];
        run_well(Command::new("git").args(options).arg(patch(variant.name)).current_dir(root()));
    }
    let guide = fs::read_to_string(root().join(GUIDE)).unwrap();
    assert_eq!(WrongFix::all(&guide).unwrap().len(), OF_THE_GUIDE.len());
    assert_eq!(drift::wrong_fixes(&root(), &guide).unwrap(), Vec::<String>::new());
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn patch(name: &str) -> PathBuf {
    patches().join(format!("{name}.patch"))
}

fn patches() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/variants")
}

/// A copy of this tree as it was shipped, with its dependencies built, and with a port of its own.
struct Copy {
    /// When a variant can't be judged, its lab still runs. This value stops it. It stands before the folder,
    /// because it works in the folder.
    _clean: AtTheEnd,
    folder: TempDir,
    port: u16,
}

impl Copy {
    fn make() -> Self {
        let root = root();
        let folder = tempfile::Builder::new().prefix("flash-sale-variants-").tempdir().unwrap();
        // The folder is open. When we are root, PostgreSQL's own user works in it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let listing = ["ls-files", "-co", "--exclude-standard"];
        let files = run_well(Command::new("git").args(listing).current_dir(&root));
        for file in files.lines().filter(|file| root.join(file).is_file()) {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::copy(root.join(file), path).unwrap();
        }
        // Copy the dependencies as they are built. Hard links won't do, because cargo writes into some of these files.
        // Our own crates are left out, and so are programs, whose names have no dot: they are built again in the copy.
        let script = r#"
            mkdir -p "$2/deps"
            cp -a "$1/.fingerprint" "$1/build" "$2"
            find "$1/deps" -name '*.*' ! -name '*flash_sale*' -exec cp -a {} "$2/deps" ';'
        "#;
        let built = Path::new(env!("CARGO_BIN_EXE_lab")).parent().unwrap();
        let to = folder.path().join("target/debug");
        run_well(Command::new("sh").args(["-ec", script, "sh"]).args([built, &to]));
        let clean = AtTheEnd::run(to.join("lab"), &["clean"], folder.path());
        let copy = Self { _clean: clean, folder, port: port_of_ones_own() };
        copy.undo_the_learners_edit();
        copy
    }

    /// Puts back the shipped form of the one method that the walkthrough edits.
    fn undo_the_learners_edit(&self) {
        let path = self.folder.path().join("crates/repositories/src/product_repository.rs");
        let code = fs::read_to_string(&path).unwrap();
        let (before, method) = code.split_once("    pub async fn get_for_purchase(").unwrap();
        let (_, after) = method.split_once("\n    }\n").unwrap();
        let shipped = "&self, id: Uuid) -> Result<Option<product::Model>, DbErr> {\n        \
                       self.get_by_id(id).await";
        let code = format!("{before}    pub async fn get_for_purchase({shipped}\n    }}\n{after}");
        fs::write(&path, code).unwrap();
    }

    /// Applies the variant, runs it on a database of its own, and takes the variant back.
    fn judge(&self, variant: &Variant, arguments: &[&str]) -> Value {
        let name = variant.name;
        let edit = self.edit_of_the_guide(name);
        let apply = |options: &[&str]| {
            if variant.is_a_patch() {
                run_well(self.command("git").arg("apply").args(options).arg("-C1").arg(patch(name)));
            }
        };
        apply(&[]);
        edit.iter().for_each(|edit| edit.make(self.folder.path()).unwrap());
        run_well(self.command(env!("CARGO")).args(["build", "--workspace", "--locked", "--quiet"]));
        run_well(self.lab().args(["up", "--built"]));
        let check = self.lab().args(["check", "--json"]).args(arguments).output().unwrap();
        run_well(self.lab().arg("clean"));
        apply(&["-R"]);
        edit.iter().for_each(|edit| edit.take_back(self.folder.path()).unwrap());

        let report: Value = serde_json::from_slice(&check.stdout)
            .unwrap_or_else(|_| panic!("{name}: {}", String::from_utf8_lossy(&check.stderr)));
        assert_eq!(check.status.success(), report["verdict"] == "fixed", "{name}: the exit code");
        report
    }

    /// The edit that the walkthrough shows, if the variant is one of its wrong fixes.
    fn edit_of_the_guide(&self, name: &str) -> Option<Edit> {
        let place = OF_THE_GUIDE.iter().position(|of_the_guide| *of_the_guide == name)?;
        let guide = fs::read_to_string(self.folder.path().join(GUIDE)).unwrap();
        Some(WrongFix::all(&guide).unwrap().swap_remove(place).edit)
    }

    fn lab(&self) -> Command {
        let mut lab = self.command(self.folder.path().join("target/debug/lab"));
        lab.env("PORT", self.port.to_string()).env("DASHBOARD_PORT", "0");
        lab
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        for name in OF_ONE_SHOP {
            command.env_remove(name);
        }
        // Build in the copy, and not in the tree that is being tested, whatever cargo was told.
        command.env("CARGO_TARGET_DIR", self.folder.path().join("target")).current_dir(self.folder.path());
        command
    }
}

/// A port below those that the system itself hands out. It stays free from one variant to the next.
fn port_of_ones_own() -> u16 {
    static COPY: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + (std::process::id() % 20_000) as u16 + 100 * COPY.fetch_add(1, Ordering::SeqCst);
    let mut ports = (first..=u16::MAX).filter(|port| TcpStream::connect(("127.0.0.1", *port)).is_err());
    ports.next().unwrap()
}

#[track_caller]
fn run_well(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}
