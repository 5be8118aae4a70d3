//! Arguments that are copied: names and queries, which are refused where they are longer than any can be.

use crate::db::allocate;
use crate::error::{Error, Result, required};
use pgrx::Array;

/// The names of realms, sites, columns and resources are shorter.
const MOST_NAME: usize = 1024;

/// A query, or another text that says what is to be done, has so many bytes at most.
const MOST_TEXT: usize = 16 << 20;

/// So often such a text is copied while it is worked on.
const COPIES: usize = 8;

/// An array of names has so many elements at most.
const MOST_NAMES: usize = 100_000;

/// A name, or one of several words, that must be given.
pub fn name(argument: &str, value: Option<&str>) -> Result<String> {
    copy(argument, required(argument, value)?, MOST_NAME)
}

/// The same, where it may be NULL.
pub fn name_if_given(argument: &str, value: Option<&str>) -> Result<Option<String>> {
    value.map(|value| copy(argument, value, MOST_NAME)).transpose()
}

/// A source, or a list that is given as a query.
pub fn source(argument: &str, value: Option<&str>) -> Result<String> {
    let value = required(argument, value)?;
    check_length(argument, value, MOST_TEXT)?;
    allocate::ensure(COPIES * value.len())?;
    allocate::text(value)
}

/// The same, where it may be NULL.
pub fn source_if_given(argument: &str, value: Option<&str>) -> Result<Option<String>> {
    value.map(|value| source(argument, Some(value))).transpose()
}

/// The names in an array, without NULLs; none for NULL.
pub fn names(argument: &str, array: Option<Array<&str>>) -> Result<Vec<String>> {
    let Some(array) = array else { return Ok(Vec::new()) };
    if array.len() > MOST_NAMES {
        return Err(Error::new("54000", format!("{argument} is too large"))
            .detail(format!("It has {} elements.", array.len()))
            .hint(format!("Give at most {MOST_NAMES}.")));
    }
    array.iter().flatten().map(|value| copy(argument, value, MOST_NAME)).collect()
}

/// Refuses a text that is too long.
pub fn check_length(argument: &str, value: &str, most: usize) -> Result<()> {
    if value.len() <= most {
        return Ok(());
    }
    Err(Error::new("54000", format!("{argument} is too long"))
        .detail(format!("It has {} bytes.", value.len()))
        .hint(format!("Give at most {most} bytes.")))
}

fn copy(argument: &str, value: &str, most: usize) -> Result<String> {
    check_length(argument, value, most)?;
    allocate::text(value)
}
