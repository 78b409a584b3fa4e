//! Which keys have come, and which have got another value, for those who want to hear of that (the events `new`, `overwritten` and
//! `type_changed`).

/// What has become of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Birth {
    New,
    /// It has another value in the place of its former one.
    Overwritten {
        type_changed: bool,
    },
}

/// What has become of keys since somebody asked last. Nothing is noted unless somebody wants to know.
#[derive(Default)]
pub struct Births {
    pub are_noted: bool,
    list: Vec<(Box<[u8]>, Birth)>,
}

impl Births {
    pub fn noted_if(are_noted: bool) -> Self {
        Self { are_noted, list: Vec::new() }
    }

    #[inline]
    pub(crate) fn note(&mut self, key: &[u8], birth: impl FnOnce() -> Birth) {
        if self.are_noted {
            self.list.push((key.into(), birth()));
        }
    }

    /// What has been noted, in order.
    pub fn take(&mut self) -> Vec<(Box<[u8]>, Birth)> {
        std::mem::take(&mut self.list)
    }
}
