//! What is read of an X.509 certificate: until when it is good. A walk over a few bounded lengths, no more.

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Returns the last second in which a certificate (DER) is good, Unix time; `None` for what is no certificate. Source: RFC 5280, 4.1.
pub(super) fn not_after(der: &[u8]) -> Option<u64> {
    let (_, certificate, _) = value(der).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, signed, _) = value(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let rest = match value(signed)? {
        (VERSION, _, rest) => rest,
        _ => signed,
    };
    // Serial number, algorithm, issuer.
    let rest = (0..3).try_fold(rest, |rest, _| value(rest).map(|(_, _, rest)| rest))?;
    let (_, validity, _) = value(rest).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, _, after) = value(validity)?;
    let (tag, text, _) = value(after)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// Splits the first value off: its tag, its content, and what follows.
fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7F);
        let (bytes, rest) = rest.split_at_checked(count).filter(|_| (1..=4).contains(&count))?;
        (bytes.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Reads `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, the two forms a certificate may hold.
fn time(tag: u8, text: &str) -> Option<u64> {
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
    let number = |from: usize, count: usize| digits.get(from..from + count)?.parse::<u64>().ok();
    let (year, at) = match tag {
        UTC_TIME if digits.len() == 12 => (number(0, 2).map(|year| year + if year < 50 { 2000 } else { 1900 })?, 2),
        GENERALIZED_TIME if digits.len() == 14 => (number(0, 4)?, 4),
        _ => return None,
    };
    let (month, day) = (number(at, 2)?, number(at + 2, 2)?);
    let seconds = number(at + 4, 2)? * 3600 + number(at + 6, 2)? * 60 + number(at + 8, 2)?;
    ((1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day))
        .then(|| days_since_1970(year, month, day) * DAY + seconds)
}

/// Counts days in the Gregorian calendar; its years begin in March, so that the day a leap year adds is the last.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_time_are_read() {
        assert_eq!(time(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(time(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(time(GENERALIZED_TIME, "20240229120000Z"), Some(1_709_208_000));
        assert_eq!(time(GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799));
        for (tag, text) in
            [(UTC_TIME, "20240229120000Z"), (GENERALIZED_TIME, "240229120000Z"), (UTC_TIME, "240229120000"), (4, "700101000000Z")]
        {
            assert_eq!(time(tag, text), None, "{text}");
        }
        assert_eq!(time(UTC_TIME, "241329120000Z"), None, "there is no month 13");
    }

    #[test]
    fn a_certificate_is_walked_and_every_cut_of_it_refused() {
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        for (year, wanted) in [(2031, 1_924_992_000), (2061, 2_871_763_200)] {
            parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
            let der = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
            assert_eq!(not_after(&der), Some(wanted));
            for end in 0..der.len() {
                assert_eq!(not_after(&der[..end]), None, "cut at {end}");
            }
        }
    }
}
