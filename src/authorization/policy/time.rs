//! Policies on the time: from, until, and at which days and hours.

use chrono::{DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::Value;

/// All that are given must be so.
#[derive(Debug)]
pub struct Time {
    zone: Tz,
    not_before: Option<DateTime<Utc>>,
    not_on_or_after: Option<DateTime<Utc>>,
    fields: Vec<(Field, Vec<Span>)>,
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Year,
    Month,
    DayOfMonth,
    Weekday,
    Hour,
    Minute,
}

/// One number, or two with all between; where the first is the greater one, through the end and on from the beginning.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "a span is a whole number, or two: [from, to]")]
enum Span {
    One(i32),
    FromTo(i32, i32),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    time_zone: Option<String>,
    not_before: Option<String>,
    not_on_or_after: Option<String>,
    years: Option<Vec<Span>>,
    months: Option<Vec<Span>>,
    days_of_month: Option<Vec<Span>>,
    weekdays: Option<Vec<Span>>,
    hours: Option<Vec<Span>>,
    minutes: Option<Vec<Span>>,
}

impl Time {
    pub fn parse(config: &Value) -> Result<Self, String> {
        let document = Document::deserialize(config).map_err(|e| e.to_string())?;
        let name = document.time_zone.as_deref().unwrap_or("UTC");
        let zone: Tz =
            name.parse().map_err(|_| format!("there is no time zone \"{name}\": use a name such as Europe/Berlin"))?;
        let instant = |key: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => instant(text, zone).map(Some).ok_or_else(|| {
                format!(
                    "\"{key}\" is no time: \"{text}\"; use 2030-12-31, 2030-12-31T18:00 or 2030-12-31T18:00:00+01:00"
                )
            }),
        };
        let not_before = instant("not_before", &document.not_before)?;
        let not_on_or_after = instant("not_on_or_after", &document.not_on_or_after)?;
        let mut fields = Vec::new();
        for (key, field, spans) in [
            ("years", Field::Year, document.years),
            ("months", Field::Month, document.months),
            ("days_of_month", Field::DayOfMonth, document.days_of_month),
            ("weekdays", Field::Weekday, document.weekdays),
            ("hours", Field::Hour, document.hours),
            ("minutes", Field::Minute, document.minutes),
        ] {
            let Some(spans) = spans else { continue };
            check_spans(key, field, &spans)?;
            fields.push((field, spans));
        }
        if fields.is_empty() && not_before.is_none() && not_on_or_after.is_none() {
            return Err("it says nothing of the time: use not_before, not_on_or_after, years, months, days_of_month, weekdays, hours, minutes".to_string());
        }
        Ok(Time { zone, not_before, not_on_or_after, fields })
    }

    pub fn test(&self, now: DateTime<Utc>) -> bool {
        let local = now.with_timezone(&self.zone);
        self.not_before.is_none_or(|from| now >= from)
            && self.not_on_or_after.is_none_or(|until| now < until)
            && self.fields.iter().all(|(field, spans)| {
                let value = field.of(&local);
                spans.iter().any(|span| span.contains(value))
            })
    }
}

fn check_spans(key: &str, field: Field, spans: &[Span]) -> Result<(), String> {
    let (least, most) = field.range();
    for span in spans {
        let (from, to) = span.bounds();
        if from < least || from > most || to < least || to > most {
            return Err(format!("\"{key}\" has {from} to {to}: its numbers are {least} to {most}"));
        }
    }
    Ok(())
}

impl Field {
    fn of(self, time: &DateTime<Tz>) -> i32 {
        let number = match self {
            Field::Year => return time.year(),
            Field::Month => time.month(),
            Field::DayOfMonth => time.day(),
            Field::Weekday => time.weekday().number_from_monday(),
            Field::Hour => time.hour(),
            Field::Minute => time.minute(),
        };
        number as i32
    }

    fn range(self) -> (i32, i32) {
        match self {
            Field::Year => (1, 9999),
            Field::Month => (1, 12),
            Field::DayOfMonth => (1, 31),
            Field::Weekday => (1, 7),
            Field::Hour => (0, 23),
            Field::Minute => (0, 59),
        }
    }
}

impl Span {
    fn bounds(self) -> (i32, i32) {
        match self {
            Span::One(value) => (value, value),
            Span::FromTo(from, to) => (from, to),
        }
    }

    fn contains(self, value: i32) -> bool {
        let (from, to) = self.bounds();
        if from <= to { (from..=to).contains(&value) } else { value >= from || value <= to }
    }
}

/// A time with its offset from UTC, or a local one in `zone`.
pub fn instant(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.to_utc());
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let local = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let local = local.or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))?;
    first_instant(local, zone)
}

/// Where the clock goes back, the first of the two; where it jumps, the end of the jump.
fn first_instant(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => Some(instant.to_utc()),
        LocalResult::None => {
            let before = zone.from_local_datetime(&local.checked_sub_days(Days::new(1))?).earliest()?;
            let after = local.checked_sub_signed(TimeDelta::seconds(offset(&before)))?;
            Some(after.and_utc())
        }
    }
}

/// Seconds that local time is ahead of UTC.
fn offset(time: &DateTime<Tz>) -> i64 {
    (time.naive_local() - time.naive_utc()).num_seconds()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(config: Value, now: &str) -> bool {
        Time::parse(&config).unwrap().test(instant(now, Tz::UTC).unwrap())
    }

    #[test]
    fn from_and_until() {
        let week = json!({"not_before": "2026-03-01", "not_on_or_after": "2026-03-08T00:00:00Z"});
        assert!(!holds(week.clone(), "2026-02-28T23:59:59"));
        assert!(holds(week.clone(), "2026-03-01"));
        assert!(holds(week.clone(), "2026-03-07T23:59:59"));
        assert!(!holds(week, "2026-03-08"));
    }

    #[test]
    fn working_hours_in_a_zone() {
        let work = json!({"weekdays": [[1, 5]], "hours": [[9, 16]], "time_zone": "Europe/Berlin"});
        assert!(holds(work.clone(), "2026-07-06T07:00:00Z"), "Monday, 9:00 in summer");
        assert!(!holds(work.clone(), "2026-01-05T07:00:00Z"), "Monday, 8:00 in winter");
        assert!(holds(work.clone(), "2026-01-05T15:59:59Z"));
        assert!(!holds(work.clone(), "2026-01-05T16:00:00Z"));
        assert!(!holds(work, "2026-07-05T10:00:00Z"), "Sunday");
    }

    #[test]
    fn spans_wrap_around_and_may_be_none() {
        let night = json!({"hours": [[22, 5]], "minutes": [0, [30, 59]]});
        assert!(holds(night.clone(), "2026-01-01T23:30"));
        assert!(holds(night.clone(), "2026-01-01T05:00"));
        assert!(!holds(night.clone(), "2026-01-01T05:15"));
        assert!(!holds(night, "2026-01-01T06:00"));
        assert!(!holds(json!({"months": []}), "2026-01-01"));
        assert!(holds(json!({"years": [2026], "months": [12, 1], "days_of_month": [[28, 2]]}), "2026-01-31"));
    }

    #[test]
    fn a_local_time_that_comes_twice_or_never() {
        let berlin: Tz = "Europe/Berlin".parse().unwrap();
        assert_eq!(instant("2026-10-25T02:30", berlin), instant("2026-10-25T00:30:00Z", berlin));
        assert_eq!(instant("2026-03-29T02:30", berlin), instant("2026-03-29T01:30:00Z", berlin));
        assert_eq!(instant("yesterday", berlin), None);
    }

    #[test]
    fn bad_times_are_refused() {
        let problem = |config: Value| Time::parse(&config).unwrap_err();
        assert!(problem(json!({"hours": [24]})).contains("0 to 23"));
        assert!(problem(json!({"hours": [[9]]})).contains("a span is"));
        assert!(problem(json!({"hours": [9], "time_zone": "Mars/Olympus"})).contains("no time zone"));
        assert!(problem(json!({"not_before": "31.12.2030"})).contains("no time"));
        assert!(problem(json!({"time_zone": "UTC"})).contains("says nothing"));
        assert!(problem(json!({"hour": [9]})).contains("unknown field"));
    }
}
