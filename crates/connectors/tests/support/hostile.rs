//! Values that are something else to somebody: to a filter, a name, a shell, a parser, an eye.

/// All of them.
pub fn hostile() -> Vec<String> {
    let mut all: Vec<String> = [
        "*",
        "*)(uid=*",
        ")(objectClass=*",
        "(|(uid=*",
        "\\",
        "\\2a",
        "\\00",
        "a\0b",
        "\0",
        "'; drop table users; --",
        "\"quoted\"",
        "a,b",
        "a+b",
        "a=b",
        "a;b",
        "<a>",
        "#04",
        "#",
        " lead",
        "trail ",
        " ",
        "  two  ",
        "uid=decoy",
        "decoy,ou=people",
        "../../etc",
        "%2f..%2f",
        "{CRYPT}!",
        "line\nbreak\r",
        "tab\t",
        "<GUID=x>",
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{202e}drow",
        "李",
        "decoy\u{200b}",
        "decoy\0",
        "decoy\0x",
        "${x}",
        "{0}",
        "a/b",
        "@",
        "-1",
        "TRUE",
        "dn: x",
    ]
    .map(str::to_owned)
    .into();
    all.push("n".repeat(256));
    all.push("ü,".repeat(128));
    all
}
