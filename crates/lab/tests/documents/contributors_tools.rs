//! Checks the files that contributors' tools read: GitHub's workflow and issue forms, the dev container,
//! .editorconfig. Others wrote their schemas, which are no part of this tree. So the tests know the parts of each
//! schema that are used here.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::code_map::{ENDINGS, tree};
use crate::{read, root};

const WORKFLOW: &str = ".github/workflows/ci.yml";
const ISSUE_FORMS: &str = ".github/ISSUE_TEMPLATE";
const DEV_CONTAINER: &str = ".devcontainer/devcontainer.json";

/// Whether a value has the type that a schema wants.
type IsRight = fn(&Value) -> bool;

/// An element of a form, from the schema of issue forms.
struct Element {
    kind: &'static str,
    must_have: &'static [(&'static str, IsRight)],
    may_have: &'static [(&'static str, IsRight)],
}

const LABEL: (&str, IsRight) = ("label", Value::is_string);
const DESCRIPTION: (&str, IsRight) = ("description", Value::is_string);
const PLACEHOLDER: (&str, IsRight) = ("placeholder", Value::is_string);
const VALUE: (&str, IsRight) = ("value", Value::is_string);

const ELEMENTS: [Element; 5] = [
    Element { kind: "markdown", must_have: &[VALUE], may_have: &[] },
    Element {
        kind: "textarea",
        must_have: &[LABEL],
        may_have: &[DESCRIPTION, PLACEHOLDER, VALUE, ("render", Value::is_string)],
    },
    Element { kind: "input", must_have: &[LABEL], may_have: &[DESCRIPTION, PLACEHOLDER, VALUE] },
    Element {
        kind: "dropdown",
        must_have: &[LABEL, ("options", are_different_words)],
        may_have: &[DESCRIPTION, ("multiple", Value::is_boolean)],
    },
    Element { kind: "checkboxes", must_have: &[LABEL, ("options", are_boxes)], may_have: &[DESCRIPTION] },
];

/// The part of the schema of dev containers that is used here.
const DEV_CONTAINER_PROPERTIES: [(&str, IsRight); 11] = [
    ("name", Value::is_string),
    ("build", Value::is_object),
    ("remoteUser", Value::is_string),
    ("hostRequirements", Value::is_object),
    ("init", Value::is_boolean),
    ("capAdd", are_different_words),
    ("postCreateCommand", Value::is_string),
    ("forwardPorts", Value::is_array),
    ("portsAttributes", Value::is_object),
    ("otherPortsAttributes", Value::is_object),
    ("customizations", Value::is_object),
];

#[test]
fn the_workflow_runs_what_must_hold_and_may_only_read() {
    let text = read(WORKFLOW);
    let workflow: Value = serde_saphyr::from_str(&text).unwrap();

    assert_eq!(workflow["permissions"], serde_json::json!({ "contents": "read" }));
    assert!(workflow["on"]["push"].is_object() && workflow["on"].get("pull_request").is_some());
    let jobs: Vec<&Value> = workflow["jobs"].as_object().unwrap().values().collect();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0]["timeout-minutes"], 90);
    assert!(jobs[0]["runs-on"].as_str().unwrap().starts_with("ubuntu-"));
    let steps = jobs[0]["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["run"], ".ci/run");
    let mode = fs::metadata(root().join(".ci/run")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111, ".ci/run can be run");

    for action in steps.iter().filter_map(|step| step["uses"].as_str()) {
        let (_, commit) = action.split_once('@').unwrap();
        assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
        assert!(text.contains(&format!("{action} # v")), "which version is {action}?");
    }
    // Rust's version stands in one file alone.
    let toolchain = read("rust-toolchain.toml");
    let version = toolchain.split("channel = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(!text.contains(version) && text.contains("rustup toolchain install"), "{version}");
}

#[test]
fn each_issue_form_can_be_filled_in() {
    let files: Vec<_> = fs::read_dir(root().join(ISSUE_FORMS)).unwrap().map(|entry| entry.unwrap()).collect();
    let mut names = BTreeSet::new();

    for file in &files {
        let form: Value = serde_saphyr::from_str(&fs::read_to_string(file.path()).unwrap()).unwrap();
        assert_eq!(wrong_in_form(&form), Vec::<String>::new(), "{:?}", file.file_name());
        assert!(
            names.insert(form["name"].to_string()),
            "{:?} has the name of another form",
            file.file_name()
        );
    }
    assert!(files.len() >= 3);

    let right = r#"{"name": "a", "description": "b", "labels": ["c"], "body": [
        {"type": "input", "id": "d", "attributes": {"label": "e"}, "validations": {"required": true}},
        {"type": "dropdown", "id": "f", "attributes": {"label": "g", "options": ["h", "i"]}}
    ]}"#;
    let wrong = |from: &str, to: &str| {
        assert!(right.contains(from));
        wrong_in_form(&serde_json::from_str(&right.replace(from, to)).unwrap())
    };
    assert_eq!(wrong(right, right), Vec::<String>::new());
    for (from, to) in [
        (r#""name""#, r#""title""#),
        (r#""labels""#, r#""label""#),
        (r#"["c"]"#, r#""c""#),
        (r#""input""#, r#""text""#),
        (r#""label": "e""#, r#""name": "e""#),
        (r#""label": "e""#, r#""label": "e", "options": ["h"]"#),
        (r#""options": ["h", "i"]"#, r#""description": "h""#),
        (r#"["h", "i"]"#, r#"["h", "h"]"#),
        (r#""id": "f""#, r#""id": "d""#),
        (r#""required": true"#, r#""required": "yes""#),
    ] {
        assert_ne!(wrong(from, to), Vec::<String>::new(), "{to}");
    }
}

#[test]
fn the_dev_container_has_what_ci_installs_and_forwards_the_shops_port() {
    let container = dev_container();
    let known = |name: &str| DEV_CONTAINER_PROPERTIES.iter().find(|(known, _)| *known == name);
    for (name, value) in container.as_object().unwrap() {
        let (_, is_right) = known(name).unwrap_or_else(|| panic!("is {name} a property of dev containers?"));
        assert!(is_right(value), "{name}: {value}");
    }

    let port = container["forwardPorts"][0].to_string();
    assert!(read("README.md").contains(&format!("\n| `PORT` | {port} |")));
    for attributes in [&container["portsAttributes"][&port], &container["otherPortsAttributes"]] {
        let on_forward = attributes["onAutoForward"].as_str().unwrap();
        assert!(["notify", "openBrowser", "silent", "ignore"].contains(&on_forward), "{on_forward}");
    }
    let command = container["postCreateCommand"].as_str().unwrap();
    assert!(read("Makefile").contains(&format!("\n{}:", command.strip_prefix("make ").unwrap())));

    let image = read(format!(".devcontainer/{}", container["build"]["dockerfile"].as_str().unwrap()));
    let installed: BTreeSet<&str> = image.split_whitespace().collect();
    let ci = read(".ci/run");
    let needed: Vec<&str> =
        ci.split("missing+=(").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(needed.len() > 3, "{needed:?}");
    assert!(needed.iter().all(|package| installed.contains(package)), "{needed:?}\n{image}");
}

#[test]
fn editors_are_told_to_write_files_as_they_are() {
    let config = read(".editorconfig");
    let of = |section: &str, key: &str| {
        let (_, rest) = config.split_once(&format!("\n[{section}]\n")).unwrap();
        let lines = rest.lines().take_while(|line| !line.starts_with('['));
        lines.filter_map(|line| line.split_once(" = ")).find(|(name, _)| *name == key).unwrap().1
    };
    assert!(read("rustfmt.toml").contains(&format!("max_width = {}\n", of("*.rs", "max_line_length"))));
    assert_eq!((of("*", "indent_style"), of("Makefile", "indent_style")), ("space", "tab"));
    assert_eq!((of("*", "trim_trailing_whitespace"), of("*", "insert_final_newline")), ("true", "true"));

    let text_of = |path: &String| fs::read_to_string(root().join(path)).ok();
    // cargo fmt looks at Rust files. A learner may leave a blank at the end of a line there. This test doesn't
    // complain about that.
    let is_ours = |path: &String| {
        path == "Makefile" || path.ends_with(".patch") || ENDINGS[1..].iter().any(|it| path.ends_with(it))
    };
    let files = tree().into_iter().filter(is_ours);
    let texts: Vec<(String, String)> = files.filter_map(|path| Some((text_of(&path)?, path))).collect();
    assert!(texts.len() > 80, "{}", texts.len());
    for (text, path) in texts {
        assert!(text.is_empty() || text.ends_with('\n'), "{path} doesn't end with the end of a line");
        for (number, line) in text.split('\n').enumerate().map(|(index, line)| (index + 1, line)) {
            let is_trimmed = path.ends_with(".patch") || !line.ends_with([' ', '\t', '\r']);
            assert!(is_trimmed, "{path}:{number} ends with a blank");
            assert!(path == "Makefile" || !line.starts_with('\t'), "{path}:{number} begins with a tab");
        }
    }
}

/// Says where a form differs from GitHub's schema.
fn wrong_in_form(form: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut expect = |is_right: bool, what: &dyn std::fmt::Display| {
        if !is_right {
            wrong.push(what.to_string());
        }
    };
    let has_only = |value: &Value, known: &[&str]| {
        value.as_object().is_some_and(|fields| fields.keys().all(|name| known.contains(&name.as_str())))
    };
    expect(has_only(form, &["name", "description", "labels", "body"]), form);
    expect(form["name"].is_string() && form["description"].is_string(), form);
    expect(form.get("labels").is_none_or(are_different_words), &form["labels"]);

    let mut ids = BTreeSet::new();
    for element in form["body"].as_array().into_iter().flatten() {
        expect(has_only(element, &["type", "id", "attributes", "validations"]), element);
        expect(element.get("id").is_none_or(|id| id.is_string() && ids.insert(id.to_string())), element);
        let validations = element.get("validations");
        let is_valid = |it: &Value| has_only(it, &["required"]) && it["required"].is_boolean();
        expect(validations.is_none_or(is_valid), element);
        let Some(known) = ELEMENTS.iter().find(|known| element["type"] == known.kind) else {
            expect(false, element);
            continue;
        };
        let attributes = &element["attributes"];
        let names: Vec<&str> = known.must_have.iter().chain(known.may_have).map(|(name, _)| *name).collect();
        expect(has_only(attributes, &names), element);
        expect(known.must_have.iter().all(|(name, is_right)| is_right(&attributes[name])), element);
        let may = |(name, is_right): &(&str, IsRight)| attributes.get(name).is_none_or(is_right);
        expect(known.may_have.iter().all(may), element);
    }
    expect(!ids.is_empty(), form);
    wrong
}

fn are_different_words(value: &Value) -> bool {
    let words: Option<Vec<&str>> =
        value.as_array().and_then(|words| words.iter().map(Value::as_str).collect());
    words.is_some_and(|words| {
        !words.is_empty() && BTreeSet::from_iter(&words).len() == words.len() && !words.contains(&"")
    })
}

fn are_boxes(value: &Value) -> bool {
    let boxes = value.as_array();
    boxes.is_some_and(|boxes| !boxes.is_empty() && boxes.iter().all(|it| it["label"].is_string()))
}

/// This is JSON with comments. Here, each comment has a line of its own.
fn dev_container() -> Value {
    let text = read(DEV_CONTAINER);
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    serde_json::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap()
}
