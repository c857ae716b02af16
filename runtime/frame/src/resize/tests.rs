use super::*;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions};
use proptest::prelude::*;

#[test]
fn shrinking_averages_and_keeps_a_gradient() {
    let mut image = RgbImage::with_size(64, 32);
    for (i, pixel) in image.data_mut().chunks_exact_mut(3).enumerate() {
        pixel.copy_from_slice(&[(i % 64 * 4) as u8, 90, 200]);
    }
    let mut small = RgbImage::with_size(16, 8);
    Resizer::new().resize(image.view(), &mut small).unwrap();
    for x in 1..15 {
        let [r, g, b] = small.view().pixel(x, 4);
        assert!(r.abs_diff((x * 16 + 6) as u8) <= 2, "{r} at {x}");
        assert_eq!((g, b), (90, 200));
    }
}

#[test]
fn a_strided_crop_is_scaled_like_a_packed_one() {
    let mut image = RgbImage::with_size(20, 10);
    image.data_mut().iter_mut().enumerate().for_each(|(i, v)| *v = (i * 7 % 251) as u8);
    let crop = image.view().crop(3, 2, 12, 6).unwrap();
    let mut packed = RgbImage::with_size(12, 6);
    Resizer::new().resize(crop, &mut packed).unwrap();
    let (mut a, mut b) = (RgbImage::with_size(6, 3), RgbImage::with_size(6, 3));
    Resizer::new().resize(crop, &mut a).unwrap();
    Resizer::new().resize(packed.view(), &mut b).unwrap();
    assert_eq!(a, b);
}

#[test]
fn an_empty_side_is_refused() {
    let image = RgbImage::with_size(2, 2);
    assert!(Resizer::new().resize(image.view(), &mut RgbImage::new()).is_err());
    assert!(Resizer::new().resize(RgbImage::new().view(), &mut RgbImage::with_size(2, 2)).is_err());
}

/// What the library made of the same image.
fn theirs(src: &RgbImage, to: [u32; 2]) -> Vec<u8> {
    let from = [src.width(), src.height()];
    let packed: Vec<U8x3> =
        src.view().data().chunks_exact(3).map(|p| U8x3::new([p[0], p[1], p[2]])).collect();
    let source = TypedImageRef::new(from[0], from[1], &packed).unwrap();
    let mut data = vec![0; to[0] as usize * to[1] as usize * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(to[0], to[1], &mut data).unwrap();
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    fast_image_resize::Resizer::new().resize_typed(&source, &mut target, &options).unwrap();
    data
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn pixels_are_the_librarys_within_one_and_the_same_size_is_exact(
        w in 1_u32..120, h in 1_u32..120, to_w in 1_u32..90, to_h in 1_u32..90,
        seed in any::<u32>(), extreme in any::<bool>()
    ) {
        let mut resizer = Resizer::new();
        let mut image = RgbImage::with_size(w, h);
        let mut state = seed | 1;
        for value in image.data_mut() {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            *value = if extreme { if state & 256 == 0 { 0 } else { 255 } } else { state as u8 };
        }
        // Weights of another size, and of the same, must not linger.
        for to in [[to_w, to_h], [w, h], [to_w, h], [to_w, to_h]] {
            let mut ours = RgbImage::with_size(to[0], to[1]);
            resizer.resize(image.view(), &mut ours).unwrap();
            if to == [w, h] {
                prop_assert_eq!(&ours, &image);
            }
            for (ours, theirs) in ours.view().data().iter().zip(theirs(&image, to)) {
                prop_assert!(ours.abs_diff(theirs) <= 1, "{} {}", ours, theirs);
            }
        }
    }
}

#[test]
fn white_stays_white_at_any_scale() {
    for from in [2, 3, 101, 250] {
        let mut image = RgbImage::with_size(from, from);
        image.data_mut().fill(255);
        for to in [1, 2, 7, 100, 260] {
            let mut scaled = RgbImage::with_size(to, to);
            Resizer::new().resize(image.view(), &mut scaled).unwrap();
            assert!(scaled.view().data().iter().all(|&v| v == 255), "{from} to {to}");
        }
    }
}
