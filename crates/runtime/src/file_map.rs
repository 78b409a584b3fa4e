//! Files seen as memory.

use memmap2::{Advice, Mmap};
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// The bytes of a file, to be read once from the beginning to the end.
pub struct FileMap(Mmap);

impl FileMap {
    /// # Errors
    /// When the file cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the map is private and read only. Who cuts the file off while it is read ends this process by a signal, as with any
        // mapped file; nobody but the administrator can, and the server itself puts another file in its place instead.
        let map = unsafe { Mmap::map(&file)? };
        // Only a hint.
        let _ = map.advise(Advice::Sequential);
        Ok(Self(map))
    }
}

impl Deref for FileMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
