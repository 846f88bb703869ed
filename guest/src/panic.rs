//! The last message of a policy that dies.

use std::panic::{PanicHookInfo, set_hook};

use crate::log::{self, write};
use crate::types::Level;

/// Bytes of a message that cross to the host, which keeps no more.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Has panics tell the host their place and message before they trap. The host
/// takes them for why the check failed, and shows the message to those alone
/// who asked for it.
pub(crate) fn report() {
    set_hook(Box::new(tell));
}

fn tell(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("it does not say why");
    let message = message.get(..message.floor_char_boundary(MESSAGE_BYTES_MAX)).unwrap_or_default();
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    write(Level::Error, message, &[(log::PANIC, &place)]);
}
