//! Finds new names for many rows: a batch at a time, beside all names that are taken, which lie in a store.

use crate::consolidation::allot::{Batch, Counters, Form, Name, Wish, hash};
use crate::db::session;
use crate::db::store::Store;
use crate::error::Result;
use pgrx::IntoDatum;
use pgrx::pg_sys::{BOOLOID, INT4OID, INT8OID, Oid, TEXTOID};

/// A row that is to get another name, in the order in which they ask.
pub const WISH: [(&str, Oid); 3] = [("n", INT8OID), ("prefix", TEXTOID), ("login", TEXTOID)];

/// The hash of a key that no new name may have.
pub const TAKEN: [(&str, Oid); 1] = [("hash", INT8OID)];

/// A new name, for the row of this number. counter: 1 where it has none; cut: the old name is not whole in it.
pub const ALLOTTED: [(&str, Oid); 5] =
    [("n", INT8OID), ("login", TEXTOID), ("key", TEXTOID), ("counter", INT4OID), ("cut", BOOLOID)];

/// So many bytes a name that is proposed takes.
const PROPOSED: usize = 32;

pub fn wish(wishes: &mut Store, n: i64, prefix: &str, login: &str) {
    wishes.add(|| [n.into_datum(), prefix.into_datum(), login.into_datum()]);
}

pub fn take(taken: &mut Store, key: &str) {
    taken.put(&[(hash(key) as i64).into_datum()]);
}

/// Gives every wish a name that nobody has. Plain names go first, so that a counter takes nobody's plain name.
pub fn allot(form: Form, mut wishes: Store, mut taken: Store) -> Result<Store> {
    let memory = session::work_mem_bytes();
    let (mut allotted, mut waiting) = (Store::by_byte(&ALLOTTED), Store::by_byte(&WISH));
    in_batches(&mut wishes, memory, |wishes| {
        let mut batch = Batch::new(form, wishes);
        batch.propose_plain()?;
        show(&mut taken, &mut batch)?;
        for wish in batch.give_plain(|wish, name| give(&mut allotted, &mut taken, wish, name))? {
            self::wish(&mut waiting, wish.row, &wish.prefix, &wish.login);
        }
        Ok(())
    })?;
    drop(wishes);
    let mut counters = Counters::default();
    in_batches(&mut waiting, memory, |wishes| {
        let mut batch = Batch::new(form, wishes);
        counters.forget(memory / PROPOSED);
        while batch.propose_counted(&counters, memory / PROPOSED)? {
            show(&mut taken, &mut batch)?;
            batch.give_counted(&mut counters, |wish, name| give(&mut allotted, &mut taken, wish, name))?;
        }
        Ok(())
    })?;
    Ok(allotted)
}

fn show(taken: &mut Store, batch: &mut Batch) -> Result<()> {
    taken.each(|row| {
        batch.take(row.number(1) as u64);
        Ok(())
    })
}

fn give(allotted: &mut Store, taken: &mut Store, wish: &Wish, name: &Name) {
    take(taken, &name.key);
    allotted.add(|| {
        let (login, key) = (name.login.as_str().into_datum(), name.key.as_str().into_datum());
        [wish.row.into_datum(), login, key, (name.counter as i32).into_datum(), name.cut.into_datum()]
    });
}

/// Works with as many wishes at a time as fit into this memory.
fn in_batches(wishes: &mut Store, memory: usize, mut work: impl FnMut(Vec<Wish>) -> Result<()>) -> Result<()> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    wishes.each(|row| {
        let (prefix, login) = (row.text(2)?.unwrap_or_default(), row.text(3)?.unwrap_or_default());
        let wish = Wish::new(row.number(1), &prefix, &login);
        bytes += wish.bytes();
        batch.push(wish);
        if bytes < memory {
            return Ok(());
        }
        bytes = 0;
        work(std::mem::take(&mut batch))
    })?;
    if batch.is_empty() { Ok(()) } else { work(batch) }
}
