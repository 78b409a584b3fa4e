//! What comes back of a split command: one reply of those of its shares, one request of their arguments.

use super::{Group, Returned, Share};
use command::OwnArgs;
use command::args::copy_short;
use command::spec::Merge;
use resp::{Reply, reader};

impl Group {
    /// Makes one reply of those of the shares.
    pub(super) fn merge(&self, split: usize, merge: Merge, out: &mut Reply) {
        let split = &self.splits[split];
        let shares = &self.shares[split.shares.0 as usize..][..split.shares.1 as usize];
        let cursor_of = |share: &Share| Cursor { replies: self.replies_of(share), at: share.at };
        if let Some(error) = shares.iter().map(cursor_of).find(|share| reader::is_error(share.rest())) {
            let len = reader::reply_len(error.rest()).expect("shards write whole replies");
            return out.raw(&error.rest()[..len]);
        }
        match merge {
            Merge::Ok => out.ok(),
            Merge::Sum => {
                let count = |share: &Share| reader::integer(cursor_of(share).rest()).unwrap_or(0);
                out.int(shares.iter().map(count).sum());
            }
            Merge::Elements => {
                let of_key = &self.of_key[split.keys.0 as usize..][..split.keys.1 as usize];
                let cursors = shares.iter().map(|share| cursor_of(share).into_array());
                out.array(of_key.len());
                if shares.len() <= FEW_SHARES {
                    let mut few = [const { Cursor { replies: &NO_REPLY, at: 0 } }; FEW_SHARES];
                    few.iter_mut().zip(cursors).for_each(|(to, cursor)| *to = cursor);
                    return copy_elements(&mut few, of_key, out);
                }
                copy_elements(&mut cursors.collect::<Vec<_>>(), of_key, out);
            }
        }
    }

    fn replies_of(&self, share: &Share) -> &Reply {
        &self.returned(share).batch.replies
    }

    fn returned(&self, share: &Share) -> &Returned {
        match &self.batches[share.batch as usize] {
            Some(returned) => returned,
            None => unreachable!("a batch stays until its shares have been merged"),
        }
    }

    /// The arguments of a command put together from those of its shares, if all batches have them.
    #[cold]
    pub(super) fn arguments(&self, split: usize) -> Option<OwnArgs> {
        let split = &self.splits[split];
        let shares = &self.shares[split.shares.0 as usize..][..split.shares.1 as usize];
        let of_key = &self.of_key[split.keys.0 as usize..][..split.keys.1 as usize];
        let step = usize::from(split.command.key_step);
        let arg = |share: &Share, index: usize| {
            let batch = &self.returned(share).batch;
            batch.spans.get(share.first as usize + index)?.inside(&batch.args).map(<[u8]>::to_vec)
        };
        let mut taken = vec![1; shares.len()];
        let mut words = vec![arg(shares.first()?, 0)?];
        for &number in of_key {
            let from = &mut taken[number as usize];
            for index in *from..*from + step {
                words.push(arg(&shares[number as usize], index)?);
            }
            *from += step;
        }
        Some(OwnArgs::of_words(words))
    }
}

/// So many shares are followed at once without a list of their own.
const FEW_SHARES: usize = 8;

static NO_REPLY: Reply = Reply { buf: Vec::new(), blobs: Vec::new(), resp3: false };

/// The place in the replies of a batch where a share's next reply or element begins.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    replies: &'a Reply,
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn rest(self) -> &'a [u8] {
        &self.replies.buf[self.at..]
    }

    /// Before the first element of the array that begins here.
    fn into_array(self) -> Self {
        let header = reader::header(&self.replies.buf, self.at);
        Self { at: header.map_or(self.at, |(_, _, next)| next), ..self }
    }

    /// Copies the next element.
    #[inline]
    fn copy_element(&mut self, out: &mut Reply) {
        if !self.replies.blobs.is_empty()
            && let Some(len) = share_element(self.replies, self.at, out)
        {
            self.at += len;
            return;
        }
        let element = self.rest();
        let len = reader::bulk_len(element).or_else(|| reader::reply_len(element));
        let len = len.expect("shards write whole replies");
        copy_short(&mut out.buf, element, len);
        self.at += len;
    }
}

/// Each share's array is walked in step with the keys.
fn copy_elements(cursors: &mut [Cursor<'_>], of_key: &[u16], out: &mut Reply) {
    of_key.iter().for_each(|&number| cursors[number as usize].copy_element(out));
}

/// The same for a value that does not stand in the buffer.
#[cold]
fn share_element(replies: &Reply, start: usize, out: &mut Reply) -> Option<usize> {
    let (_, count, next) = reader::header(&replies.buf, start)?;
    let place = replies.blobs.partition_point(|(at, _)| *at <= start);
    let (_, blob) =
        replies.blobs.get(place).filter(|(at, blob)| *at == next && count as usize == blob.len())?;
    // The element's header, then the shared bytes, then the line end.
    out.bulk_shared(blob.clone());
    Some(next + 2 - start)
}
