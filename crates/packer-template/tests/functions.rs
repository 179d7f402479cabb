//! What expressions evaluate to. The values were compared with those of Packer 1.6.6 (`packer console`).

mod common;

use common::{host, source};
use packer_template::{Template, VarInputs, Variables};

/// The value of a variable with this default, or the first error's message.
fn evaluated(expression: &str) -> Result<String, String> {
    let quoted = expression.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let text =
        format!(r#"{{"variables":{{"other":"value","a":"{quoted}"}},"builders":[{{"type":"amazon-ebs"}}]}}"#);
    let template = Template::parse(&source(&text)).map_err(|errors| errors.summary())?;
    let variables =
        Variables::resolve(&template, &VarInputs::default(), &host()).map_err(|errors| errors.summary())?;
    Ok(variables.get("a").unwrap_or_default().to_owned())
}

fn table(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        assert_eq!(evaluated(expression).as_deref(), Ok(*expected), "{expression}");
    }
}

#[test]
fn functions_of_packer() {
    table(&[
        ("{{user `other`}}", "value"),
        ("{{env `REGION`}}", "eu-west-1"),
        ("{{env `NO_SUCH`}}", ""),
        ("{{timestamp}}", "1614863045"),
        ("{{isotime}}", "2021-03-04T13:04:05Z"),
        ("{{isotime `2006-01-02`}}", "2021-03-04"),
        ("{{strftime `%Y-%m-%d %H:%M`}}", "2021-03-04 13:04"),
        ("{{uuid}}", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("{{pwd}}", "/work"),
        ("{{template_dir}}", "/srv/templates"),
        ("{{upper `aé`}}", "AÉ"),
        ("{{lower `AÉ`}}", "aé"),
        ("{{split `a-b-c` `-` 1}}", "b"),
        ("{{split `abc` `` 2}}", "c"),
        ("{{replace `a` `b` 1 `aaa`}}", "baa"),
        ("{{replace `a` `b` -1 `aaa`}}", "bbb"),
        ("{{replace `a` `b` 0 `aaa`}}", "aaa"),
        ("{{replace_all `a` `b` `aaa`}}", "bbb"),
        ("{{ `aaa` | replace_all `a` `b` | upper }}", "BBB"),
        ("{{user (lower `OTHER`)}}", "value"),
    ]);
}

#[test]
fn times_in_gos_layout() {
    let cases = [
        ("Mon Jan 2 15:04:05 MST 2006", "Thu Mar 4 13:04:05 UTC 2021"),
        ("Monday, 02-Jan-06 15:04:05.000 -0700", "Thursday, 04-Mar-21 13:04:05.123 +0000"),
        ("January _2 __2 002 1 3 03 4 5", "March  4  63 063 3 1 01 4 5"),
        ("3:04PM 3:04pm", "1:04PM 1:04pm"),
        ("2006-01-02T15:04:05Z07:00", "2021-03-04T13:04:05Z"),
        ("05.00 05.9999999 05,000 05.01", "05.12 05.123 05,123 05.03"),
        ("_2006 20060102", "_2021 20210304"),
        ("-07 -07:00 -070000 -07:00:00 Z0700", "+00 +00:00 +000000 +00:00:00 Z"),
        ("Janitor Monkey ubuntu", "Janitor Monkey ubuntu"),
        ("2 Jan 2006 at 15h04", "4 Mar 2021 at 13h04"),
        ("060102.150405", "210304.130405"),
        ("20060102150405", "20210304130405"),
    ];
    for (layout, expected) in cases {
        assert_eq!(evaluated(&format!("{{{{isotime `{layout}`}}}}")).as_deref(), Ok(expected), "{layout}");
    }
}

#[test]
fn functions_of_go() {
    table(&[
        ("{{print \"a\" \"b\" 1 2 \"c\"}}", "ab1 2c"),
        ("{{println \"a\" 1}}", "a 1\n"),
        (
            "{{printf \"%s %q %v %d %05d %x %t\" \"a\" \"b\" 1.5 3 42 255 true}}",
            "a \"b\" 1.5 3 00042 ff true",
        ),
        ("{{printf \"%-5s|%5s|%.2f|%c|%%\" \"a\" \"b\" 2.5 65}}", "a    |    b|2.50|A|%"),
        (
            "{{printf \"%06.2f|%+d|%x|%X|%08s|%e\" 2.5 3 \"hi\" 255 \"ab\" 12345.678}}",
            "002.50|+3|6869|FF|000000ab|1.234568e+04",
        ),
        ("{{printf \"%v %s %d\" nil nil nil}}", "<nil> %!s(<nil>) %!d(<nil>)"),
        ("{{print 1.0 2.5}} {{print true \"a\" 1}} {{print -3 \"x\"}}", "1 2.5 truea1 -3x"),
        ("{{010}} {{0b11}} {{0o17}} {{1_000}} {{+5}} {{-3}}", "8 3 15 1000 5 -3"),
        ("{{js \"<a href=x> \\\" \\\\ é\"}}", "\\u003Ca href\\u003Dx\\u003E \\\" \\\\ é"),
        ("{{printf \"%d\" \"x\"}}", "%!d(string=x)"),
        ("{{printf \"%z\" 3}}", "%!z(int=3)"),
        ("{{printf \"%s\"}}", "%!s(MISSING)"),
        ("{{printf \"a\" 1}}", "a%!(EXTRA int=1)"),
        ("{{\"x\" | printf \"%s-%s\" \"y\"}}", "y-x"),
        ("{{len `abc`}} {{index `abc` 1}} {{slice `abcdef` 1 3}}", "3 98 bc"),
        ("{{html `<a href=\"x\">`}}", "&lt;a href=&#34;x&#34;&gt;"),
        ("{{js `'`}} {{urlquery `a b/é`}}", "\\' a+b%2F%C3%A9"),
        ("{{and `` `x`}}|{{and `y` `x`}}|{{or `` `x`}}|{{not ``}}", "|x|x|true"),
        (
            "{{lt 1 2}} {{ge `b` `a`}} {{eq 1 2 1}} {{ne 1 2}} {{le 2 2}} {{gt 1.5 1.0}}",
            "true true true true true true",
        ),
        ("{{print nil}} {{1.50}} {{0x1F}} {{1e3}} {{'a'}} {{1e21}} {{.5}}", "<nil> 1.5 31 1000 97 1e+21 0.5"),
    ]);
}

#[test]
fn control() {
    table(&[
        ("{{if eq (user `other`) `value`}}yes{{else}}no{{end}}", "yes"),
        ("{{if false}}1{{else if true}}2{{else}}3{{end}}", "2"),
        ("{{with `x`}}{{`in`}}{{else}}out{{end}}{{with ``}}in{{else}}out{{end}}", "inout"),
        ("{{$x := `a`}}{{$x}}{{$x = `b`}}{{$x}}", "ab"),
        ("{{with $x := `abc`}}{{$x}}{{end}}", "abc"),
        ("a {{- `b` -}} c", "abc"),
        ("a\n {{- /* gone */ -}} \n c{{/* gone */}}", "ac"),
        ("{{`{{`}} }} {{\"\\u00e9\\x41\\101\\n\"}}", "{{ }} éAA\n"),
        ("{{ upper `a` | }}", "A"),
    ]);
}

#[test]
fn fields_are_left_for_the_option_in_which_the_variable_is_used() {
    table(&[("{{ .SourceAMI }} {{.Vars}} {{upper `x`}}", "{{ .SourceAMI }} {{.Vars}} X")]);
}

#[test]
fn what_cannot_be_evaluated_is_said() {
    let cases = [
        ("{{nosuch}}", "there is no template function 'nosuch'"),
        ("{{upper}}", "wrong number of arguments for the template function 'upper'"),
        ("{{upper `a` `b`}}", "wrong number of arguments for the template function 'upper'"),
        ("{{upper 1}}", "'upper' wants a string here, not a whole number"),
        ("{{split `a-b` `-` 2}}", "split has no part 2: 'a-b' has 2 between '-'"),
        ("{{split `a` `b` -1}}", "split has no part -1: 'a' has 1 between 'b'"),
        ("{{build_name}}", "'build_name' is known only inside of a build"),
        ("{{packer_version}}", "'packer_version' is known only inside of a build"),
        ("{{build `ID`}}", "there is no build variable 'ID' here"),
        ("{{clean_resource_name `a`}}", "'clean_resource_name' is a function of builders only"),
        ("{{consul_key `a`}}", "the template function 'consul_key' is not supported"),
        ("{{sed `s/a/b/` `a`}}", "the template function 'sed' is gone from Packer"),
        ("{{", "'{{' is not closed by '}}'"),
        ("{{end}}", "'end' belongs to no 'if', 'with' or 'range'"),
        ("{{else}}", "'else' belongs to no 'if', 'with' or 'range'"),
        ("{{if true}}", "'if' has no 'end'"),
        ("{{if true}}{{else}}{{else}}{{end}}", "a second 'else' for the same block"),
        ("{{define `x`}}{{end}}", "'define' is not supported in templates of Packer"),
        ("{{`x}}", "the string in backquotes is not closed"),
        ("{{\"x}}", "the string in quotes is not closed"),
        ("{{'ab'}}", "a constant in single quotes has exactly one character"),
        ("{{\"\\q\"}}", "unknown escape '\\q' in a string"),
        ("{{print (1}}", "a parenthesis is not closed"),
        ("{{print 1)}}", "a parenthesis is closed that was not opened"),
        ("{{}}", "an expression is missing"),
        ("{{3 `a`}}", "this is no function and takes no arguments"),
        ("{{nil}}", "nil is not a command"),
        ("{{`a`.B}}", "a string has no field '.B'"),
        ("{{range nil}}{{end}}", "nil is not a command"),
        ("{{index nil 1}}", "nothing cannot be indexed by a whole number"),
        ("{{(print `a`).B}}", "a string has no field '.B'"),
        ("{{$x}}", "the variable $x is not declared"),
        ("{{eq 1 `a`}}", "a whole number and a string cannot be compared"),
        ("{{lt true false}}", "a truth value and a truth value cannot be compared"),
        ("{{index `abc` 5}}", "index out of range: 5"),
        ("{{slice `abc` 2 1}}", "index out of range: 2 to 1 of 3"),
        ("{{len 3}}", "a whole number has no length"),
        ("{{range `abc`}}{{end}}", "range cannot iterate over abc"),
        ("{{1x}}", "'1x' is not a number"),
        ("{{@}}", "unexpected '@' in an expression"),
        ("{{/* x }}", "the comment is not closed"),
        ("{{1 | 2}}", "only a function can stand behind '|'"),
    ];
    for (expression, expected) in cases {
        assert_eq!(evaluated(expression), Err(expected.to_owned()), "{expression}");
    }
}

#[test]
fn nesting_has_an_end() {
    let deep = format!("{{{{{}1{}}}}}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(evaluated(&deep), Err("parentheses are nested too deep".to_owned()));
    let deep = "{{if true}}".repeat(5000);
    assert_eq!(evaluated(&deep), Err("blocks are nested too deep".to_owned()));
}
