//! File names, as users give them: for people to read, never a path.

/// Returns a name without its folders, without controls and what turns the writing direction, of at most `bytes_max` bytes: cut
/// in its stem, so that its extension stays. An empty one: nothing of it could stay.
pub(crate) fn clean(name: &str, bytes_max: usize) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = last.chars().filter(|c| !c.is_control() && !hides(*c)).collect();
    let shown = shown.trim();
    if shown.chars().all(|c| c == '.' || shapes(c)) {
        return String::new();
    }
    if shown.len() <= bytes_max {
        return shown.to_owned();
    }
    let (stem, extension) = match shown.rfind('.') {
        // What comes after a late dot only looks like an extension.
        Some(dot) if shown.len() - dot <= bytes_max.min(16) => shown.split_at(dot),
        _ => (shown, ""),
    };
    let mut cut = bytes_max.saturating_sub(extension.len()).min(stem.len());
    while !stem.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{extension}", &stem[..cut])
}

/// What turns the direction, breaks the line or is a control that is not shown: `invoice\u{202E}fdp.exe` shows as `invoiceexe.pdf`.
fn hides(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

/// Joiners, breaks of words and marks of direction: Persian, Hindi, Khmer and joined emoji are spelled with them. Alone they are no name.
fn shapes(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{061C}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path_and_hides_nothing() {
        for (given, kept) in [
            ("photo.jpg", "photo.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\me\\报告.docx", "报告.docx"),
            ("invoice\u{202E}fdp.exe", "invoicefdp.exe"),
            ("a\r\nSet-Cookie: x\0.txt", "aSet-Cookie: x.txt"),
            ("می\u{200C}خواهم.pdf", "می\u{200C}خواهم.pdf"),
            ("👩\u{200D}👩\u{200D}👧.png", "👩\u{200D}👩\u{200D}👧.png"),
            ("क्\u{200D}ष.txt", "क्\u{200D}ष.txt"),
            ("\u{2066}a\u{2069}.txt", "a.txt"),
            ("ភាសា\u{200B}ខ្មែរ.pdf", "ភាសា\u{200B}ខ្មែរ.pdf"),
            ("a\u{2028}b\u{FEFF}.txt", "ab.txt"),
            ("\u{200D}\u{200F}", ""),
            ("..", ""),
            ("/", ""),
            ("  \u{200B} ", ""),
        ] {
            assert_eq!(clean(given, 255), kept, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension_and_its_characters_whole() {
        let long = format!("{}.jpeg", "字".repeat(100));
        let cut = clean(&long, 255);
        assert!(cut.ends_with("字.jpeg") && cut.len() <= 255 && cut.len() > 250, "{cut}");
        assert_eq!(clean(&"x".repeat(300), 255).len(), 255);
        assert_eq!(clean(&format!("a.{}", "x".repeat(300)), 255).len(), 255);
    }
}
