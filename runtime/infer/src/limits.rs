//! How large a network may be, in every direction.

/// Largest ONNX file that is read, in bytes: enough for an IResNet-100, which the lab compares with. Packs allow less.
pub const MAX_ONNX_BYTES: usize = 256 << 20;
/// Most values that an input may hold.
pub const MAX_ELEMENTS: usize = 16 << 20;
/// Most outputs of one network.
pub const MAX_OUTPUTS: usize = 32;

/// The oldest operator set that is read: the first one in which arithmetic broadcasts as it does today.
pub const LEAST_OPSET: i64 = 7;
/// Most fields of all messages of one file together, each integer in a packed list counted as one: decoded, they take
/// some 64 MiB.
pub const MAX_FIELDS: usize = 1 << 18;
/// Most nodes of one network.
pub const MAX_NODES: usize = 8_192;
/// Most values of all constants of one network, and of those made from them: 256 MiB as f32.
pub const MAX_CONSTANT_VALUES: usize = 64 << 20;
/// Largest kernel, stride, dilation, padding or number of groups.
pub const MAX_WINDOW: i64 = 4_096;
/// Most work on one image: multiply-accumulates plus values of all results. An IResNet-100 takes 12.1e9 for a face.
pub const MAX_WORK: u64 = 64_000_000_000;
