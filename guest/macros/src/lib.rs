//! The `#[policy]` attribute of `barmkin-guest`, which documents it.

use proc_macro::TokenStream;
use syn::parse_macro_input;

mod policy;

/// Makes a struct of settings a policy. See the crate `barmkin-guest`.
#[proc_macro_attribute]
pub fn policy(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as policy::Arguments);
    let settings = parse_macro_input!(item as syn::ItemStruct);
    policy::expand(&arguments, &settings).unwrap_or_else(syn::Error::into_compile_error).into()
}
