//! A statement's line in the log, made from sqlx's own. sqlx writes the statement and four more fields, over several
//! lines. Here it becomes one line: `UPDATE … WHERE "products"."id" = $2 -- 1 row, 0.5 ms`.

use std::str::Chars;

/// Where sqlx logs statements; BEGIN and SAVEPOINT are added by `flash_sale_services`.
pub const TARGET: &str = "sqlx::query";

/// The line, or `None` if sqlx has changed its format. `logged` are sqlx's fields: `summary`, `db.statement` (empty if
/// the summary is the whole statement), `rows_affected`, `elapsed_secs`.
///
/// A count of 0 rows is left out: sqlx also counts 0 for a statement that has failed.
pub fn line(logged: &str) -> Option<String> {
    let (_, fields) = logged.split_once("summary=\"")?;
    let (summary, fields) = read_quoted(fields)?;
    let (whole, fields) = read_quoted(fields.strip_prefix(" db.statement=\"")?)?;
    let statement = shorten(if whole.is_empty() { &summary } else { &whole });
    let milliseconds = number(fields, " elapsed_secs=")? * 1e3;
    let rows = match number(fields, " rows_affected=")? {
        0.0 => String::new(),
        1.0 => "1 row, ".to_owned(),
        rows => format!("{rows} rows, "),
    };
    Some(format!("{statement} -- {rows}{milliseconds:.1} ms"))
}

/// The text before the closing quote, in one line, and what follows.
fn read_quoted(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return Some((text.split_whitespace().collect::<Vec<_>>().join(" "), characters.as_str())),
            '\\' => text.push(unescape(&mut characters)?),
            character => text.push(character),
        }
    }
}

/// The character that `escape_debug` has escaped. Its backslash is read already.
fn unescape(characters: &mut Chars) -> Option<char> {
    Some(match characters.next()? {
        'n' | 'r' | 't' => ' ',
        'u' => {
            let (code, rest) = characters.as_str().strip_prefix('{')?.split_once('}')?;
            *characters = rest.chars();
            char::from_u32(u32::from_str_radix(code, 16).ok()?)?
        }
        '0' => '\0',
        character => character,
    })
}

fn number(fields: &str, name: &str) -> Option<f64> {
    fields.split_once(name)?.1.split(' ').next()?.parse().ok()
}

/// SeaORM names every column of a table each time that it reads a row. The first one is enough to know which table.
fn shorten(statement: &str) -> String {
    if let Some((columns, rest)) =
        statement.strip_prefix("SELECT ").and_then(|statement| statement.split_once(" FROM "))
    {
        return format!("SELECT {} FROM {rest}", shorten_list(columns));
    }
    match statement.split_once(" RETURNING ") {
        Some((before, columns)) => format!("{before} RETURNING {}", shorten_list(columns)),
        None => statement.to_owned(),
    }
}

/// The first column and an ellipsis, if there are more than two columns. Any other list stays as it is.
fn shorten_list(list: &str) -> String {
    let columns: Vec<&str> = list.split(", ").collect();
    let is_column = |item: &str| {
        item.starts_with('"')
            && item.ends_with('"')
            && item.chars().all(|it| it.is_ascii_alphanumeric() || "\"._".contains(it))
    };
    match &columns[..] {
        [first, _, _, ..] if columns.iter().all(|column| is_column(column)) => format!("{first}, …"),
        _ => list.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_one_line() {
        let logged = r#"summary="UPDATE \"products\" SET \"quantity\" …" db.statement="\n\nUPDATE \"products\"\n  SET \"quantity\" = \"quantity\" - $1\n" rows_affected=1 rows_returned=0 elapsed=497.985µs elapsed_secs=0.000497985"#;

        let expected = r#"UPDATE "products" SET "quantity" = "quantity" - $1 -- 1 row, 0.5 ms"#;
        assert_eq!(line(logged).unwrap(), expected);
        let slow =
            format!("slow statement: execution time exceeded alert threshold {logged} slow_threshold=1s");
        assert_eq!(line(&slow).unwrap(), expected);
    }

    #[test]
    fn one_of_four_words_or_less_is_its_own_summary() {
        let logged = r#"summary="COMMIT" db.statement="" rows_affected=0 rows_returned=0 elapsed=1.1ms elapsed_secs=0.001126842"#;

        assert_eq!(line(logged).unwrap(), "COMMIT -- 1.1 ms");
    }

    #[test]
    fn any_character_survives_but_white_space_which_becomes_a_blank() {
        let sql = "SELECT 'a\u{301}\"\\\u{0}\u{7f}',\t7\r\n";
        let logged =
            format!("summary={sql:?} db.statement={sql:?} rows_affected=2 rows_returned=2 elapsed_secs=0");

        assert_eq!(line(&logged).unwrap(), "SELECT 'a\u{301}\"\\\u{0}\u{7f}', 7 -- 2 rows, 0.0 ms");
    }

    #[test]
    fn what_sqlx_does_not_write_today_is_no_statement() {
        for logged in ["", "BEGIN", r#"summary="SELECT"#, r#"summary="SELECT" rows_affected=1"#] {
            assert_eq!(line(logged), None, "{logged}");
        }
    }

    #[test]
    fn long_lists_of_columns_are_shortened_and_nothing_else() {
        let read =
            |list: &str| shorten(&format!(r#"SELECT {list} FROM "a" ORDER BY "a"."b", "a"."c", "a"."d""#));

        assert!(
            read(r#""a"."b", "a"."c", "a"."d""#)
                .starts_with(r#"SELECT "a"."b", … FROM "a" ORDER BY "a"."b", "a""#)
        );
        for list in [r#""a"."b", "a"."c""#, r#"count(*), "a"."b", "a"."c""#, r#""a"."b", 1, "a"."c""#] {
            assert_eq!(read(list), format!(r#"SELECT {list} FROM "a" ORDER BY "a"."b", "a"."c", "a"."d""#));
        }
        let insert = r#"INSERT INTO "a" ("b", "c", "d") VALUES ($1, $2, $3)"#;
        assert_eq!(shorten(insert), insert);
        assert_eq!(
            shorten(&format!(r#"{insert} RETURNING "b", "c", "d""#)),
            format!(r#"{insert} RETURNING "b", …"#)
        );
    }
}
