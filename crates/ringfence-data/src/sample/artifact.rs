//! The file that carries a sample.
//!
//! Its first line is `\@sample` and the manifest as JSON. Each table begins with a line `\@table` and its place in the manifest; its rows follow, a
//! line each, as PostgreSQL's COPY writes them in text (<https://www.postgresql.org/docs/current/sql-copy.html>, "Text Format"), in which
//! no row can begin with `\@`. The last line is `\@end` and the manifest with the numbers of rows and the digest over all lines between
//! the first and the last. A file without it was cut off.

use std::io::{self, BufRead, Read, Write};

use ringfence_mask::schema::Value;
use sha2::{Digest, Sha256};

use super::{Manifest, SampleError};

const VERSION: u32 = 1;

/// The most bytes that a row may take: both sides hold one at a time.
pub const LONGEST: usize = 256 << 20;

/// Writes an artifact.
pub struct Writer<W: Write> {
    output: W,
    manifest: Manifest,
    digest: Sha256,
    line: Vec<u8>,
    table: usize,
}

impl<W: Write> Writer<W> {
    /// Begins with the manifest, whose tables have no rows yet.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn new(mut output: W, mut manifest: Manifest) -> Result<Self, SampleError> {
        manifest.version = VERSION;
        let json = serde_json::to_string(&manifest).map_err(io::Error::from)?;
        output.write_all(format!("\\@sample {json}\n").as_bytes())?;
        Ok(Self {
            output,
            manifest,
            digest: Sha256::new(),
            line: Vec::new(),
            table: 0,
        })
    }

    /// Begins the table at this place of the manifest.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn table(&mut self, place: usize) -> Result<(), SampleError> {
        self.table = place;
        self.line.clear();
        self.line.extend(format!("\\@table {place}\n").bytes());
        self.put()
    }

    /// Writes a row; `None` is null. `is_cut` says that a reference of it was cut.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn row<'a>(
        &mut self,
        cells: impl Iterator<Item = Option<&'a str>>,
        is_cut: bool,
    ) -> Result<(), SampleError> {
        self.line.clear();
        for (place, cell) in cells.enumerate() {
            if place > 0 {
                self.line.push(b'\t');
            }
            if self.line.len() + cell.map_or(0, str::len) > LONGEST {
                let table = self.manifest.tables.get(self.table);
                let name = table.map_or_else(String::new, |table| table.name.clone());
                return Err(SampleError::Large(name));
            }
            match cell {
                Some(text) => escape(text, &mut self.line),
                None => self.line.extend(b"\\N"),
            }
        }
        self.line.push(b'\n');
        if let Some(table) = self.manifest.tables.get_mut(self.table) {
            table.rows += 1;
            table.cut += u64::from(is_cut);
        }
        self.put()
    }

    fn put(&mut self) -> Result<(), SampleError> {
        self.digest.update(&self.line);
        self.output.write_all(&self.line)?;
        Ok(())
    }

    /// Ends the artifact; what is written before has no worth without this.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn finish(mut self) -> Result<(Manifest, W), SampleError> {
        self.manifest.digest = hexadecimal(&self.digest.finalize());
        let json = serde_json::to_string(&self.manifest).map_err(io::Error::from)?;
        self.output
            .write_all(format!("\\@end {json}\n").as_bytes())?;
        self.output.flush()?;
        Ok((self.manifest, self.output))
    }
}

/// What an artifact says next.
pub enum Part<'a> {
    /// A table begins.
    Table(usize),
    /// A row of it, line end included.
    Row(&'a [u8]),
    /// It is whole, and this is what it was.
    End(Box<Manifest>),
}

/// Reads an artifact, line by line.
pub struct Reader<R: BufRead> {
    input: R,
    digest: Sha256,
    line: Vec<u8>,
    tables: usize,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    ///
    /// Where it is none of this format, or of a later version.
    pub fn new(mut input: R) -> Result<(Self, Manifest), SampleError> {
        let mut line = Vec::new();
        input.read_until(b'\n', &mut line)?;
        let json = line.strip_prefix(b"\\@sample ");
        let json = json.ok_or(SampleError::Artifact("it does not begin as one"))?;
        let manifest: Manifest = serde_json::from_slice(json)
            .map_err(|_| SampleError::Artifact("its first line is damaged"))?;
        if manifest.version != VERSION {
            return Err(SampleError::Artifact(
                "it is of a version that is not known here",
            ));
        }
        let reader = Self {
            input,
            digest: Sha256::new(),
            line,
            tables: manifest.tables.len(),
        };
        Ok((reader, manifest))
    }

    /// The next part.
    ///
    /// # Errors
    ///
    /// Where the file ends too soon, or was changed.
    pub fn part(&mut self) -> Result<Part<'_>, SampleError> {
        self.line.clear();
        // Each byte of a row may have been written as two.
        let most = u64::try_from(2 * LONGEST + 2).unwrap_or(u64::MAX);
        let mut input = self.input.by_ref().take(most);
        input.read_until(b'\n', &mut self.line)?;
        if !self.line.ends_with(b"\n") {
            return Err(SampleError::Artifact("it was cut off"));
        }
        let Some(mark) = self.line.strip_prefix(b"\\@") else {
            self.digest.update(&self.line);
            return Ok(Part::Row(&self.line));
        };
        if let Some(json) = mark.strip_prefix(b"end ") {
            return end(json, self.digest.finalize_reset().as_slice());
        }
        let place = mark.strip_prefix(b"table ").and_then(|place| {
            let place: usize = std::str::from_utf8(place).ok()?.trim_end().parse().ok()?;
            (place < self.tables).then_some(place)
        });
        self.digest.update(&self.line);
        place
            .map(Part::Table)
            .ok_or(SampleError::Artifact("a table of it is damaged"))
    }
}

fn end(json: &[u8], digest: &[u8]) -> Result<Part<'static>, SampleError> {
    let manifest: Manifest = serde_json::from_slice(json)
        .map_err(|_| SampleError::Artifact("its last line is damaged"))?;
    if manifest.digest != hexadecimal(digest) {
        return Err(SampleError::Artifact(
            "its rows are not those that it was made with",
        ));
    }
    Ok(Part::End(Box::new(manifest)))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a value as COPY's text format has it.
fn escape(text: &str, line: &mut Vec<u8>) {
    let plain = |byte: u8| !matches!(byte, b'\\' | b'\n' | b'\r' | b'\t');
    if text.bytes().all(plain) {
        line.extend(text.bytes());
        return;
    }
    for byte in text.bytes() {
        match byte {
            b'\\' => line.extend(b"\\\\"),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            b'\t' => line.extend(b"\\t"),
            other => line.push(other),
        }
    }
}

/// The values of one line of COPY's text format, kept for the next line.
#[derive(Default)]
pub struct Fields {
    text: String,
    ends: Vec<Option<usize>>,
}

impl Fields {
    /// Takes a line apart.
    ///
    /// # Errors
    ///
    /// Where it is no text.
    pub fn read(&mut self, line: &[u8]) -> Result<(), SampleError> {
        self.text.clear();
        self.ends.clear();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = std::str::from_utf8(line)
            .map_err(|_| SampleError::Artifact("a row of it is no text"))?;
        for field in line.split('\t') {
            if field == "\\N" {
                self.ends.push(None);
            } else {
                self.unescape(field);
                self.ends.push(Some(self.text.len()));
            }
        }
        Ok(())
    }

    fn unescape(&mut self, field: &str) {
        let mut rest = field;
        while let Some((before, after)) = rest.split_once('\\') {
            self.text.push_str(before);
            let mut characters = after.chars();
            match characters.next() {
                Some('b') => self.text.push('\u{8}'),
                Some('f') => self.text.push('\u{c}'),
                Some('n') => self.text.push('\n'),
                Some('r') => self.text.push('\r'),
                Some('t') => self.text.push('\t'),
                Some('v') => self.text.push('\u{b}'),
                Some(other) => self.text.push(other),
                None => {}
            }
            rest = characters.as_str();
        }
        self.text.push_str(rest);
    }

    /// The values, in order.
    #[must_use]
    pub fn values(&self) -> Vec<Value<'_>> {
        let texts = self.texts();
        texts
            .map(|text| text.map_or(Value::Null, Value::Text))
            .collect()
    }

    /// The values as text; `None` is null.
    pub fn texts(&self) -> impl Iterator<Item = Option<&str>> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let end = (*end)?;
            let text = self.text.get(begin..end);
            begin = end;
            text
        })
    }
}

pub(super) fn lost(error: &io::Error) -> SampleError {
    crate::store::StoreError::Unreachable(error.to_string()).into()
}

#[cfg(test)]
mod tests {
    use super::super::TableManifest;
    use super::*;

    fn written(rows: &[&[Option<&str>]]) -> Vec<u8> {
        let manifest = Manifest {
            tables: vec![TableManifest::default()],
            ..Manifest::default()
        };
        let mut writer = Writer::new(Vec::new(), manifest).unwrap();
        writer.table(0).unwrap();
        for row in rows {
            writer.row(row.iter().copied(), false).unwrap();
        }
        writer.finish().unwrap().1
    }

    type Rows = Vec<Vec<Option<String>>>;

    fn read(bytes: &[u8]) -> Result<(Rows, Manifest), SampleError> {
        let (mut reader, _) = Reader::new(bytes)?;
        let (mut rows, mut fields) = (Vec::new(), Fields::default());
        loop {
            match reader.part()? {
                Part::Table(_) => {}
                Part::Row(line) => {
                    fields.read(line)?;
                    rows.push(fields.texts().map(|text| text.map(str::to_owned)).collect());
                }
                Part::End(manifest) => return Ok((rows, *manifest)),
            }
        }
    }

    #[test]
    fn rows_come_out_as_they_went_in() {
        let rows: &[&[Option<&str>]] = &[
            &[Some("1"), None, Some("")],
            &[Some("a\tb\nc\\d\r"), Some("\\N"), Some("\\@end")],
            &[Some("\\.")],
        ];
        let (found, manifest) = read(&written(rows)).unwrap();
        let owned =
            |row: &&[Option<&str>]| row.iter().map(|cell| cell.map(str::to_owned)).collect();
        assert_eq!(found, rows.iter().map(owned).collect::<Rows>());
        assert_eq!(manifest.tables[0].rows, 3);
        assert_eq!(manifest.digest.len(), 64);
    }

    #[test]
    fn what_was_cut_off_or_changed_is_no_artifact() {
        let whole = written(&[&[Some("one")], &[Some("two")]]);
        assert!(read(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
        let changed = String::from_utf8(whole).unwrap().replace("two", "owt");
        assert!(matches!(
            read(changed.as_bytes()),
            Err(SampleError::Artifact(_))
        ));
    }

    proptest::proptest! {
        #[test]
        fn any_row_comes_out_as_it_went_in(rows in proptest::collection::vec(proptest::collection::vec(proptest::option::of("[^\0]*"), 1..6), 0..8)) {
            let rows: Vec<Vec<Option<&str>>> = rows.iter().map(|row| row.iter().map(Option::as_deref).collect()).collect();
            let slices: Vec<&[Option<&str>]> = rows.iter().map(Vec::as_slice).collect();
            let (found, manifest) = read(&written(&slices)).unwrap();
            let owned: Rows = rows.iter().map(|row| row.iter().map(|cell| cell.map(str::to_owned)).collect()).collect();
            proptest::prop_assert_eq!(&found, &owned);
            proptest::prop_assert_eq!(manifest.tables[0].rows, owned.len() as u64);
        }

        #[test]
        fn no_bytes_are_taken_for_an_artifact_by_accident(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), place in 0_usize..4000) {
            let mut whole = written(&[&[Some("one"), None], &[Some("two"), Some("three")]]);
            let place = place % whole.len();
            let end = (place + bytes.len()).min(whole.len());
            let before = whole.clone();
            whole.splice(place..end, bytes);
            // Damage to the first line's own words may go unnoticed; the rows may not.
            if let Ok((rows, _)) = read(&whole) {
                let (known, _) = read(&before).unwrap();
                proptest::prop_assert_eq!(rows, known);
            }
        }
    }
}
