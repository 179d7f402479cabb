//! Encodings of log files, by the names that Python's codecs and the web's standard give them.

use encoding_rs as standard;
use std::borrow::Cow;

/// How a file's text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Utf8,
    /// A byte above 127 is a mistake.
    Ascii,
    /// Each byte is the character of its number. (The standard takes windows-1252 for it.)
    Latin1,
    /// Latin-1 with six Turkish letters. (The standard takes windows-1254 for it.)
    Latin5,
    Standard(&'static standard::Encoding),
}

/// Why text so encoded is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// There is such an encoding; the agent cannot read it.
    #[error("the encoding {0:?} is not supported")]
    Unsupported(String),
    /// There is no such encoding.
    #[error("there is no encoding {0:?}")]
    Unknown(String),
}

impl Encoding {
    /// What everything is, unless said otherwise.
    pub const UTF_8: Self = Self(Kind::Utf8);

    /// The encoding that Python has under `name`. ("Standard Encodings" in the documentation of Python's `codecs`.)
    ///
    /// # Errors
    /// When there is none, or when it cannot be read here.
    pub fn of_python(name: &str) -> Result<Self, EncodingError> {
        let normal = normalized(name);
        if let Some((_, kind)) = SUPPORTED.iter().find(|(names, _)| names.contains(&normal.as_str())) {
            return Ok(Self(*kind));
        }
        let unsupported = UNSUPPORTED.contains(&normal.as_str())
            || UNSUPPORTED_FAMILIES.iter().any(|family| normal.starts_with(family));
        Err(if unsupported {
            EncodingError::Unsupported(name.to_owned())
        } else {
            EncodingError::Unknown(name.to_owned())
        })
    }

    /// The encoding with the label `name` in the web's Encoding Standard, which the CloudWatch agent goes by, or in
    /// Python.
    ///
    /// # Errors
    /// When there is none, or when it cannot be read here.
    pub fn of_label(name: &str) -> Result<Self, EncodingError> {
        match Self::of_python(name) {
            Err(EncodingError::Unknown(_)) => {}
            known => return known,
        }
        match standard::Encoding::for_label_no_replacement(name.as_bytes()) {
            Some(encoding) if encoding.is_ascii_compatible() => Ok(Self(Kind::Standard(encoding))),
            Some(_) => Err(EncodingError::Unsupported(name.to_owned())),
            None => Err(EncodingError::Unknown(name.to_owned())),
        }
    }

    /// The text of `bytes`; what is not text becomes U+FFFD.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self.0 {
            Kind::Utf8 => String::from_utf8_lossy(bytes),
            Kind::Ascii => match std::str::from_utf8(bytes) {
                Ok(text) if text.is_ascii() => text.into(),
                _ => bytes.iter().map(|&byte| if byte < 128 { byte.into() } else { '\u{fffd}' }).collect(),
            },
            Kind::Latin1 => standard::mem::decode_latin1(bytes),
            Kind::Latin5 => bytes.iter().map(|&byte| latin5(byte)).collect(),
            Kind::Standard(encoding) => encoding.decode_without_bom_handling(bytes).0,
        }
    }

    /// Whether valid bytes are UTF-8 already.
    pub fn is_utf_8(self) -> bool {
        self.0 == Kind::Utf8
    }

    /// A name to show.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Utf8 => "utf_8",
            Kind::Ascii => "ascii",
            Kind::Latin1 => "latin_1",
            Kind::Latin5 => "iso8859_9",
            Kind::Standard(encoding) => encoding.name(),
        }
    }
}

/// ISO/IEC 8859-9.
fn latin5(byte: u8) -> char {
    match byte {
        0xd0 => 'Ğ',
        0xdd => 'İ',
        0xde => 'Ş',
        0xf0 => 'ğ',
        0xfd => 'ı',
        0xfe => 'ş',
        other => other.into(),
    }
}

/// As Python compares names: letters without their case, anything between letters and digits as one underscore.
fn normalized(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_ascii_lowercase()
}

/// Python's names, by what reads them. The standard's GBK contains GB 2312, its EUC-KR is code page 949, its Shift_JIS
/// is code page 932 and its Big5 contains the Hong Kong characters.
const SUPPORTED: [(&[&str], Kind); 36] = [
    (&["utf_8", "utf8", "u8", "utf", "cp65001", "utf8_ucs2", "utf8_ucs4"], Kind::Utf8),
    (&["ascii", "us_ascii", "us", "646", "iso646_us", "iso_ir_6", "cp367", "ibm367"], Kind::Ascii),
    (
        &[
            "latin_1",
            "latin1",
            "latin",
            "l1",
            "8859",
            "cp819",
            "ibm819",
            "iso8859",
            "iso8859_1",
            "iso_8859_1",
            "iso_ir_100",
        ],
        Kind::Latin1,
    ),
    (&["iso8859_9", "iso_8859_9", "latin5", "l5"], Kind::Latin5),
    (&["iso8859_2", "iso_8859_2", "latin2", "l2"], Kind::Standard(standard::ISO_8859_2)),
    (&["iso8859_3", "iso_8859_3", "latin3", "l3"], Kind::Standard(standard::ISO_8859_3)),
    (&["iso8859_4", "iso_8859_4", "latin4", "l4"], Kind::Standard(standard::ISO_8859_4)),
    (&["iso8859_5", "iso_8859_5", "cyrillic"], Kind::Standard(standard::ISO_8859_5)),
    (&["iso8859_6", "iso_8859_6", "arabic"], Kind::Standard(standard::ISO_8859_6)),
    (&["iso8859_7", "iso_8859_7", "greek", "greek8"], Kind::Standard(standard::ISO_8859_7)),
    (&["iso8859_8", "iso_8859_8", "hebrew"], Kind::Standard(standard::ISO_8859_8)),
    (&["iso8859_10", "iso_8859_10", "latin6", "l6"], Kind::Standard(standard::ISO_8859_10)),
    (&["iso8859_13", "iso_8859_13", "latin7", "l7"], Kind::Standard(standard::ISO_8859_13)),
    (&["iso8859_14", "iso_8859_14", "latin8", "l8"], Kind::Standard(standard::ISO_8859_14)),
    (&["iso8859_15", "iso_8859_15", "latin9", "l9"], Kind::Standard(standard::ISO_8859_15)),
    (&["iso8859_16", "iso_8859_16", "latin10", "l10"], Kind::Standard(standard::ISO_8859_16)),
    (&["cp874"], Kind::Standard(standard::WINDOWS_874)),
    (&["cp1250", "windows_1250"], Kind::Standard(standard::WINDOWS_1250)),
    (&["cp1251", "windows_1251"], Kind::Standard(standard::WINDOWS_1251)),
    (&["cp1252", "windows_1252"], Kind::Standard(standard::WINDOWS_1252)),
    (&["cp1253", "windows_1253"], Kind::Standard(standard::WINDOWS_1253)),
    (&["cp1254", "windows_1254"], Kind::Standard(standard::WINDOWS_1254)),
    (&["cp1255", "windows_1255"], Kind::Standard(standard::WINDOWS_1255)),
    (&["cp1256", "windows_1256"], Kind::Standard(standard::WINDOWS_1256)),
    (&["cp1257", "windows_1257"], Kind::Standard(standard::WINDOWS_1257)),
    (&["cp1258", "windows_1258"], Kind::Standard(standard::WINDOWS_1258)),
    (&["cp866", "866", "ibm866"], Kind::Standard(standard::IBM866)),
    (&["koi8_r"], Kind::Standard(standard::KOI8_R)),
    (&["koi8_u"], Kind::Standard(standard::KOI8_U)),
    (&["mac_roman", "macroman", "macintosh"], Kind::Standard(standard::MACINTOSH)),
    (&["big5", "big5_tw", "big5hkscs", "big5_hkscs", "hkscs"], Kind::Standard(standard::BIG5)),
    (&["gb18030", "gb18030_2000"], Kind::Standard(standard::GB18030)),
    (
        &["gbk", "936", "cp936", "ms936", "gb2312", "gb2312_80", "euc_cn", "euccn", "chinese"],
        Kind::Standard(standard::GBK),
    ),
    (&["euc_jp", "eucjp", "ujis", "u_jis"], Kind::Standard(standard::EUC_JP)),
    (
        &["shift_jis", "shiftjis", "sjis", "s_jis", "cp932", "932", "ms932"],
        Kind::Standard(standard::SHIFT_JIS),
    ),
    (
        &["euc_kr", "euckr", "korean", "cp949", "949", "ms949", "uhc", "ksc5601", "ksx1001"],
        Kind::Standard(standard::EUC_KR),
    ),
];

/// Python's other names for text, and the web's for what has its line feeds in more than one byte.
const UNSUPPORTED: [&str; 30] = [
    "utf_8_sig",
    "cp037",
    "cp273",
    "cp424",
    "cp437",
    "cp500",
    "cp720",
    "cp737",
    "cp775",
    "cp850",
    "cp852",
    "cp855",
    "cp856",
    "cp857",
    "cp858",
    "cp869",
    "cp875",
    "cp950",
    "cp1006",
    "cp1026",
    "cp1125",
    "cp1140",
    "hz",
    "johab",
    "kz1048",
    "ptcp154",
    "shift_jis_2004",
    "shift_jisx0213",
    "tis_620",
    "hp_roman8",
];
const UNSUPPORTED_FAMILIES: [&str; 14] = [
    "utf_16",
    "utf16",
    "utf_32",
    "utf32",
    "utf_7",
    "utf7",
    "iso2022",
    "iso_2022",
    "iso8859_11",
    "euc_jis",
    "cp86",
    "mac_",
    "koi8_t",
    "ebcdic",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_names_are_known_in_each_spelling() {
        for (name, expected) in [
            ("utf_8", "utf_8"),
            ("UTF-8", "utf_8"),
            ("utf8", "utf_8"),
            ("ascii", "ascii"),
            ("latin-1", "latin_1"),
            ("ISO8859-1", "latin_1"),
            ("iso-8859-15", "ISO-8859-15"),
            ("cp1252", "windows-1252"),
            ("shift_jis", "Shift_JIS"),
            ("cp932", "Shift_JIS"),
            ("gb2312", "GBK"),
            ("euc-kr", "EUC-KR"),
            ("koi8_r", "KOI8-R"),
            ("mac_roman", "macintosh"),
        ] {
            assert_eq!(Encoding::of_python(name).map(Encoding::name), Ok(expected), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_its_name() {
        for name in
            ["utf_16", "UTF-16LE", "utf_32", "utf-7", "cp037", "cp437", "iso2022_jp", "mac_turkish", "hz"]
        {
            let unsupported = Err(EncodingError::Unsupported(name.to_owned()));
            assert_eq!(Encoding::of_python(name), unsupported, "{name}");
        }
        assert_eq!(Encoding::of_python("klingon"), Err(EncodingError::Unknown("klingon".to_owned())));
        assert_eq!(Encoding::of_label("x-sjis").map(Encoding::name), Ok("Shift_JIS"));
        assert_eq!(Encoding::of_label("utf-16be"), Err(EncodingError::Unsupported("utf-16be".to_owned())));
        assert_eq!(Encoding::of_label("klingon"), Err(EncodingError::Unknown("klingon".to_owned())));
    }

    #[test]
    fn bytes_become_text() {
        let cases: [(&str, &[u8], &str); 9] = [
            ("utf_8", "zażółć".as_bytes(), "zażółć"),
            ("utf_8", b"a\xffb\xe2\x82", "a\u{fffd}b\u{fffd}"),
            ("ascii", b"a\xc3\xa9", "a\u{fffd}\u{fffd}"),
            ("latin_1", b"caf\xe9 \x80", "café \u{80}"),
            ("iso8859_9", b"\xdd\x80\xe9", "İ\u{80}é"),
            ("cp1252", b"\x80 \xe9", "€ é"),
            ("shift_jis", b"\x83\x8d\x83O", "ログ"),
            ("gb2312", b"\xc8\xd5\xd6\xbe", "日志"),
            ("euc_kr", b"\xb7\xce\xb1\xd7", "로그"),
        ];
        for (name, bytes, expected) in cases {
            assert_eq!(Encoding::of_python(name).unwrap().decode(bytes), expected, "{name}");
        }
    }
}
