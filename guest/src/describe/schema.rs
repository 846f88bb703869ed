//! The shape of settings.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::describe::Lines;
use crate::settings::Duration;

/// A type of settings that says which values it takes.
///
/// Derive it where `#[policy]` does not do so: for what its settings are made of. A
/// type that does not have it is documented as one that takes anything.
///
/// ```
/// use barmkin_guest::prelude::*;
/// use serde::Deserialize;
///
/// /// Somebody who may call.
/// #[derive(Deserialize, Schema)]
/// #[serde(rename_all = "kebab-case", deny_unknown_fields)]
/// struct Partner {
///     /// By this name.
///     id: String,
/// }
/// ```
pub trait Schema {
    /// Which values it takes.
    const SHAPE: Shape;
}

/// Which values a setting takes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Shape {
    /// Any: its type does not say.
    Any,
    /// True or false.
    Boolean,
    /// A whole number from `min` to `max`.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: u64,
    },
    /// A number.
    Number,
    /// Text that this regular expression matches; an empty one matches any.
    Text(&'static str),
    /// A list.
    List(&'static Shape),
    /// A table whose names the operator chooses.
    Map(&'static Shape),
    /// A table whose names are fixed.
    Table(&'static Table),
    /// One of these words.
    Choice(&'static [Choice]),
}

/// A table whose names are fixed.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its purpose.
    pub text: Lines,
    /// Its settings.
    pub fields: &'static [Field],
}

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name, as the operator writes it.
    pub name: &'static str,
    /// Its purpose.
    pub text: Lines,
    /// Whether it must be given.
    pub is_required: bool,
    /// Which values it takes.
    pub shape: Shape,
}

/// A word to choose.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The word.
    pub name: &'static str,
    /// Its meaning.
    pub text: Lines,
}

macro_rules! shapes {
    ($($type:ty = $shape:expr;)*) => {
        $(impl Schema for $type {
            const SHAPE: Shape = $shape;
        })*
    };
}

shapes! {
    bool = Shape::Boolean;
    u8 = Shape::Integer { min: 0, max: u8::MAX as u64 };
    u16 = Shape::Integer { min: 0, max: u16::MAX as u64 };
    u32 = Shape::Integer { min: 0, max: u32::MAX as u64 };
    u64 = Shape::Integer { min: 0, max: u64::MAX };
    usize = Shape::Integer { min: 0, max: u32::MAX as u64 };
    i8 = Shape::Integer { min: i8::MIN as i64, max: i8::MAX as u64 };
    i16 = Shape::Integer { min: i16::MIN as i64, max: i16::MAX as u64 };
    i32 = Shape::Integer { min: i32::MIN as i64, max: i32::MAX as u64 };
    i64 = Shape::Integer { min: i64::MIN, max: i64::MAX as u64 };
    f32 = Shape::Number;
    f64 = Shape::Number;
    String = Shape::Text("");
    Box<str> = Shape::Text("");
    char = Shape::Text("^.$");
    Duration = Shape::Text("^[0-9]+(ms|s|m|h|d)$");
}

impl<T: Schema> Schema for Option<T> {
    const SHAPE: Shape = T::SHAPE;
}

impl<T: Schema> Schema for Box<T> {
    const SHAPE: Shape = T::SHAPE;
}

impl<T: Schema> Schema for Vec<T> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);
}

impl<T: Schema> Schema for Box<[T]> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);
}

impl<T: Schema> Schema for BTreeSet<T> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);
}

impl<T: Schema> Schema for HashSet<T> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);
}

impl<T: Schema> Schema for BTreeMap<String, T> {
    const SHAPE: Shape = Shape::Map(&T::SHAPE);
}

impl<T: Schema> Schema for HashMap<String, T> {
    const SHAPE: Shape = Shape::Map(&T::SHAPE);
}

/// The shape of a type that may have one: its own constant hides that of
/// [`AnyShape`] where it does.
#[doc(hidden)]
#[derive(Debug)]
pub struct ShapeOf<T>(core::marker::PhantomData<T>);

impl<T: Schema> ShapeOf<T> {
    /// That of the type.
    pub const SHAPE: Shape = T::SHAPE;
}

/// See [`ShapeOf`].
#[doc(hidden)]
pub trait AnyShape {
    /// Of a type that does not say.
    const SHAPE: Shape = Shape::Any;
}

impl<T> AnyShape for ShapeOf<T> {}
