//! The macros of `barmkin-guest`, which documents them.

use proc_macro::TokenStream;
use syn::parse_macro_input;

mod name;
mod policy;
mod schema;

/// Says which values a type of settings takes. See the crate `barmkin-guest`.
#[proc_macro_derive(Schema)]
pub fn schema(item: TokenStream) -> TokenStream {
    let input = parse_macro_input!(item as syn::DeriveInput);
    schema::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a marker type for a name. See the crate `barmkin-guest`.
#[proc_macro]
pub fn name(input: TokenStream) -> TokenStream {
    let named = parse_macro_input!(input as name::Named);
    name::expand(&named).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct of settings a policy. See the crate `barmkin-guest`.
#[proc_macro_attribute]
pub fn policy(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as policy::Arguments);
    let settings = parse_macro_input!(item as syn::ItemStruct);
    policy::expand(&arguments, &settings).unwrap_or_else(syn::Error::into_compile_error).into()
}
