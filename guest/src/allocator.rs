//! The allocator of instances whose memory is put back after each request.
//!
//! It hands out memory from the end of the data upwards, and uses again what
//! was given back: small blocks for blocks of the same size, large ones for
//! whatever fits. That is little, but enough for `configure` to leave not much
//! more than `check` needs: memory that it took is memory that the host
//! restores after every request.
#![allow(unsafe_code, reason = "an allocator deals in addresses")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::cell::Cell;
use core::{mem, ptr};

use crate::types::{BodyInput, Manifest};

/// Bytes that `configure` leaves free for a request: its input, and what the
/// rule builds. Growing memory within a request costs system calls on the host.
const REQUEST_BYTES: usize = 12 * 1024;

const PAGE_BYTES: usize = 64 * 1024;

/// Sizes are rounded up to a multiple of this; it is also how blocks are
/// aligned, except those that ask for more.
const GRAIN: usize = 8;

/// Given-back blocks of up to this many grains are kept apart by their size.
const BINS: usize = 32;

#[global_allocator]
static ALLOCATOR: Bump = Bump {
    next: Cell::new(0),
    end: Cell::new(0),
    small: [const { Cell::new(ptr::null_mut()) }; BINS],
    large: Cell::new(ptr::null_mut()),
};

/// Makes memory ready to be the image of requests: what `configure` needed no
/// longer is zero again, which costs the host less to restore, and there is
/// room for what the manifest declares.
pub(crate) fn settle(manifest: &Manifest) {
    ALLOCATOR.clear_free();
    clear_dead_stack();
    reserve_for(manifest);
}

/// Grows memory until a request that brings what the manifest declares fits.
fn reserve_for(manifest: &Manifest) {
    let body_bytes = match manifest.body {
        BodyInput::Bytes(bytes_max) => bytes_max as usize,
        BodyInput::None | BodyInput::OnHost | BodyInput::Digests(_) => 0,
    };
    // Where it does not fit it will be grown, or refused, when it is needed. A
    // body needs one block; nearly all else is small, and finds a place where
    // something of the settings was.
    let more = REQUEST_BYTES.saturating_sub(ALLOCATOR.given_back()).saturating_add(body_bytes);
    ALLOCATOR.reach(ALLOCATOR.next.get().saturating_add(more));
}

struct Bump {
    /// The first free byte, 0 before the first allocation.
    next: Cell<usize>,
    /// The end of memory, as far as is known.
    end: Cell<usize>,
    /// Given-back blocks by their number of grains, less one.
    small: [Cell<*mut Small>; BINS],
    /// Those that are too large for that.
    large: Cell<*mut Large>,
}

/// The contents of a small block while it is free.
struct Small {
    next: *mut Small,
}

/// The contents of a large block while it is free.
struct Large {
    next: *mut Large,
    bytes: usize,
}

// SAFETY: the target has no threads.
unsafe impl Sync for Bump {}

impl Bump {
    /// Makes sure that memory reaches up to `address`, and says whether.
    fn reach(&self, address: usize) -> bool {
        if address <= self.end.get() {
            return true;
        }
        let pages = wasm32::memory_size::<0>();
        let needed = address.div_ceil(PAGE_BYTES);
        if needed > pages && wasm32::memory_grow::<0>(needed - pages) == usize::MAX {
            return false;
        }
        self.end.set(needed.max(pages).saturating_mul(PAGE_BYTES));
        true
    }

    /// The first free byte.
    fn free(&self) -> usize {
        match self.next.get() {
            0 => heap_base(),
            next => next,
        }
    }

    /// Clears what lies above all blocks.
    fn clear_free(&self) {
        let free = self.free();
        // SAFETY: no block lies there, and it is within memory.
        unsafe {
            ptr::write_bytes(ptr::with_exposed_provenance_mut::<u8>(free), 0, self.end.get().saturating_sub(free))
        };
    }

    /// Bytes of the blocks that were given back.
    fn given_back(&self) -> usize {
        let mut bytes = 0;
        for (index, bin) in self.small.iter().enumerate() {
            let mut block = bin.get();
            while !block.is_null() {
                bytes += (index + 1) * GRAIN;
                // SAFETY: blocks in bins are free and hold what a small one does.
                block = unsafe { (*block).next };
            }
        }
        let mut block = self.large.get();
        while !block.is_null() {
            // SAFETY: blocks in this list are free and hold what a large one
            // does.
            unsafe { (bytes, block) = (bytes + (*block).bytes, (*block).next) };
        }
        bytes
    }

    fn is_last(&self, pointer: *mut u8, size: usize) -> bool {
        pointer.addr() + size == self.next.get()
    }

    /// The small blocks of this size that were given back.
    fn bin(&self, size: usize) -> Option<&Cell<*mut Small>> {
        self.small.get((size / GRAIN).checked_sub(1)?)
    }

    /// A block of `size` bytes of those that were given back, or null.
    fn used_again(&self, size: usize) -> *mut u8 {
        if let Some(bin) = self.bin(size)
            && !bin.get().is_null()
        {
            let block = bin.get();
            // SAFETY: blocks in bins are free and hold what a small one does.
            bin.set(unsafe { (*block).next });
            return block.cast();
        }
        let (mut before, mut block) = (ptr::null_mut::<Large>(), self.large.get());
        while !block.is_null() {
            // SAFETY: blocks in this list are free and hold what a large one
            // does; they are of whole grains, and stay so.
            unsafe {
                if (*block).bytes >= size + mem::size_of::<Large>() {
                    (*block).bytes -= size;
                    return block.cast::<u8>().add((*block).bytes);
                }
                if (*block).bytes == size {
                    match before.is_null() {
                        true => self.large.set((*block).next),
                        false => (*before).next = (*block).next,
                    }
                    return block.cast();
                }
                (before, block) = (block, (*block).next);
            }
        }
        ptr::null_mut()
    }

    fn give_back(&self, pointer: *mut u8, size: usize) {
        // SAFETY: the block is free now, and as large as what it is to hold.
        unsafe {
            match self.bin(size) {
                Some(bin) => {
                    let block = pointer.cast::<Small>();
                    block.write(Small { next: bin.get() });
                    bin.set(block);
                }
                None => {
                    let block = pointer.cast::<Large>();
                    block.write(Large { next: self.large.get(), bytes: size });
                    self.large.set(block);
                }
            }
        }
    }
}

/// The bytes that a block of `layout` takes.
fn rounded(layout: Layout) -> usize {
    layout.size().next_multiple_of(GRAIN)
}

// SAFETY: blocks lie between the data and the end of memory, do not overlap,
// and are aligned; sizes are at most `isize::MAX`, so that sums with an address
// are checked where they could exceed the address space.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = rounded(layout);
        if layout.align() <= GRAIN {
            let block = self.used_again(size);
            if !block.is_null() {
                return block;
            }
        }
        let start = self.free().next_multiple_of(layout.align().max(GRAIN));
        match start.checked_add(size) {
            Some(end) if self.reach(end) => {
                self.next.set(end);
                ptr::with_exposed_provenance_mut(start)
            }
            _ => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let size = rounded(layout);
        if self.is_last(pointer, size) {
            self.next.set(pointer.addr());
        } else {
            self.give_back(pointer, size);
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: `GlobalAlloc::realloc` asks the caller for a size that fits.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if self.is_last(pointer, rounded(layout)) {
            return match pointer.addr().checked_add(rounded(wanted)) {
                Some(end) if self.reach(end) => {
                    self.next.set(end);
                    pointer
                }
                _ => ptr::null_mut(),
            };
        }
        if rounded(wanted) == rounded(layout) {
            return pointer;
        }
        // SAFETY: as above.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both blocks have at least that many bytes, and a new block
            // does not overlap one that is in use; the old one is not used on.
            unsafe {
                ptr::copy_nonoverlapping(pointer, moved, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
        }
        moved
    }
}

/// Clears the stack below this call. `barmkin-build` puts the stack first in
/// memory, with nothing below it.
#[inline(never)]
fn clear_dead_stack() {
    /// Left alone below the marker: what the compiler may keep there.
    const FRAME_BYTES: usize = 256;

    let marker = 0_u8;
    let end = core::hint::black_box(&raw const marker).addr();
    if end > (&raw const ALLOCATOR).addr() {
        // Not the layout above: there may be anything below.
        return;
    }
    let start = mem::align_of::<usize>();
    // SAFETY: stacks grow down, so that below a leaf's frame nothing is alive.
    unsafe {
        ptr::write_bytes(ptr::with_exposed_provenance_mut::<u8>(start), 0, end.saturating_sub(FRAME_BYTES + start));
    }
}

fn heap_base() -> usize {
    unsafe extern "C" {
        /// The linker puts it after the last of the data.
        safe static __heap_base: u8;
    }
    (&raw const __heap_base).addr()
}
