//! The allocator of instances that live for one request.
//!
//! It hands out memory from the end of the data upwards and takes only the
//! last block back; the rest goes when the instance does. An allocation is an
//! addition and a comparison, and what a request needs lies next to what
//! `configure` left, so that few pages of the image are touched.
#![allow(unsafe_code, reason = "an allocator deals in addresses")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::cell::Cell;
use core::ptr;

use crate::types::{BodyInput, Manifest};

/// What `configure` leaves free for a request: its input, and what the rule
/// builds. Growing memory within a request costs system calls on the host.
const REQUEST_BYTES: usize = 24 * 1024;

const PAGE_BYTES: usize = 64 * 1024;

#[global_allocator]
static ALLOCATOR: Bump = Bump { next: Cell::new(0), end: Cell::new(0) };

/// Grows memory until a request that brings what the manifest declares fits.
pub(crate) fn reserve_for(manifest: &Manifest) {
    let body_bytes = match manifest.body {
        BodyInput::Bytes(bytes_max) => bytes_max as usize,
        BodyInput::None | BodyInput::OnHost | BodyInput::Digests(_) => 0,
    };
    // Where it does not fit it will be grown, or refused, when it is needed.
    ALLOCATOR.reach(ALLOCATOR.next.get().saturating_add(body_bytes).saturating_add(REQUEST_BYTES));
}

struct Bump {
    /// The first free byte, 0 before the first allocation.
    next: Cell<usize>,
    /// The end of memory, as far as is known.
    end: Cell<usize>,
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

    fn is_last(&self, pointer: *mut u8, layout: Layout) -> bool {
        pointer.addr() + layout.size() == self.next.get()
    }
}

// SAFETY: blocks lie between the data and the end of memory, do not overlap,
// and are aligned; sizes are at most `isize::MAX`, so that sums with an address
// are checked where they could exceed the address space.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.free().next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(end) if self.reach(end) => {
                self.next.set(end);
                ptr::with_exposed_provenance_mut(start)
            }
            _ => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if self.is_last(pointer, layout) {
            self.next.set(pointer.addr());
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if self.is_last(pointer, layout) {
            return match pointer.addr().checked_add(size) {
                Some(end) if self.reach(end) => {
                    self.next.set(end);
                    pointer
                }
                _ => ptr::null_mut(),
            };
        }
        if size <= layout.size() {
            return pointer;
        }
        // SAFETY: `GlobalAlloc::realloc` asks the caller for a valid layout.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: both blocks have at least `layout.size()` bytes, and a
            // new block does not overlap one that is in use.
            unsafe { ptr::copy_nonoverlapping(pointer, moved, layout.size()) };
        }
        moved
    }
}

fn heap_base() -> usize {
    unsafe extern "C" {
        /// The linker puts it after the last of the data.
        safe static __heap_base: u8;
    }
    (&raw const __heap_base).addr()
}
