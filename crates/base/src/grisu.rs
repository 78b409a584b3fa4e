//! The decimal digits of a double: few, and enough to read the same double back.
//!
//! Grisu2 of Florian Loitsch, "Printing floating-point numbers quickly and accurately with integers", 2010. Its digits
//! are the shortest ones for all but about one double in a thousand. Redis since 7.2 prints doubles with Grisu2, so
//! replies agree byte for byte only with the same choice among the cached powers, which is why this is not one of
//! the later algorithms that never miss the shortest.

/// `digits` (ASCII, no leading zero) times `10^exponent`.
pub(crate) struct Decimal {
    bytes: [u8; DIGITS_MAX],
    len: usize,
    /// The power of ten of the last digit.
    pub exponent: i32,
}

impl Decimal {
    pub(crate) fn digits(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, digit: u64) {
        debug_assert!(digit < 10);
        self.bytes[self.len] = b'0' + digit as u8;
        self.len += 1;
    }
}

/// Grisu2 yields at most seventeen digits.
const DIGITS_MAX: usize = 18;

/// `mantissa * 2^exponent`.
#[derive(Clone, Copy)]
struct Float {
    mantissa: u64,
    exponent: i32,
}

impl Float {
    /// The same value with the top bit of the mantissa set.
    fn normalized(self) -> Self {
        let shift = self.mantissa.leading_zeros();
        Self { mantissa: self.mantissa << shift, exponent: self.exponent - shift as i32 }
    }

    /// The product, rounded to 64 bits.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa) + (1 << 63);
        Self { mantissa: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }
}

/// The digits of a finite double above zero.
pub(crate) fn digits(value: f64) -> Decimal {
    debug_assert!(value.is_finite() && value > 0.0);
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let exact = match (bits >> 52) as i32 {
        0 => Float { mantissa: fraction, exponent: -1074 },
        biased => Float { mantissa: fraction | 1 << 52, exponent: biased - 1075 },
    };
    // Half-way to the neighbours above and below; below a power of two the neighbour is nearer.
    let upper = Float { mantissa: (exact.mantissa << 1) + 1, exponent: exact.exponent - 1 }.normalized();
    let nearer = i32::from(exact.mantissa == 1 << 52);
    let lower_exponent = exact.exponent - 1 - nearer;
    let lower = ((exact.mantissa << (1 + nearer)) - 1) << (lower_exponent - upper.exponent);

    let (power, power_exponent) = cached_power(upper.exponent);
    let scale = |float: Float| float.times(power);
    let middle = scale(exact.normalized());
    let upper = scale(upper);
    let lower = scale(Float { mantissa: lower, exponent: upper.exponent - power.exponent - 64 });
    // The products may be off by one unit in the last place, so stay one unit inside.
    let high = Float { mantissa: upper.mantissa - 1, exponent: upper.exponent };
    let width = high.mantissa - (lower.mantissa + 1);
    generate(high, width, high.mantissa - middle.mantissa, -power_exponent)
}

/// Writes digits of `high` until what is left is less than `width`, then moves the last digit down towards the true
/// value, which lies `distance` below `high`.
fn generate(high: Float, width: u64, distance: u64, exponent: i32) -> Decimal {
    let mut decimal = Decimal { bytes: [0; DIGITS_MAX], len: 0, exponent };
    let point = -high.exponent as u32;
    let one = 1u64 << point;
    // At most ten digits, as the point is at bit 32 or above.
    let mut whole = (high.mantissa >> point) as u32;
    let mut part = high.mantissa & (one - 1);

    for kappa in (0..=whole.ilog10()).rev() {
        let unit = TENS[kappa as usize];
        decimal.push(u64::from(whole / unit));
        whole %= unit;
        let rest = (u64::from(whole) << point) + part;
        if rest <= width {
            decimal.exponent += kappa as i32;
            settle(&mut decimal, width, rest, u64::from(unit) << point, distance);
            return decimal;
        }
    }

    let (mut width, mut scale, mut kappa) = (width, 1u64, 0);
    loop {
        part = part.wrapping_mul(10);
        width = width.wrapping_mul(10);
        scale = scale.wrapping_mul(10);
        kappa -= 1;
        decimal.push(part >> point);
        part &= one - 1;
        if part < width {
            decimal.exponent += kappa;
            settle(&mut decimal, width, part, one, distance.wrapping_mul(scale));
            return decimal;
        }
    }
}

const TENS: [u32; 10] = {
    let mut tens = [1; 10];
    let mut power = 1;
    while power < 10 {
        tens[power] = tens[power - 1] * 10;
        power += 1;
    }
    tens
};

/// Lowers the last digit while that brings the number nearer to the true value and keeps it inside the interval.
fn settle(decimal: &mut Decimal, width: u64, mut rest: u64, unit: u64, distance: u64) {
    while rest < distance
        && width - rest >= unit
        && (rest.wrapping_add(unit) < distance
            || distance - rest > rest.wrapping_add(unit).wrapping_sub(distance))
    {
        decimal.bytes[decimal.len - 1] -= 1;
        rest += unit;
    }
}

/// A power of ten that brings `2^exponent` into `2^-60 ..= 2^-32` (after a 64-bit product), and its exponent of ten.
fn cached_power(exponent: i32) -> (Float, i32) {
    // Two cached powers may fit. Starting from this estimate picks the same one as Redis.
    let estimate = (f64::from(-(exponent + POWERS.len() as i32)) * std::f64::consts::LOG10_2) as i32;
    let mut index = (estimate - POWER_FIRST) / POWER_STEP;
    loop {
        let (mantissa, power_exponent) = POWERS[index as usize];
        let reached = exponent + i32::from(power_exponent) + 64;
        if reached < -60 {
            index += 1;
        } else if reached > -32 {
            index -= 1;
        } else {
            let power = Float { mantissa, exponent: i32::from(power_exponent) };
            return (power, POWER_FIRST + index * POWER_STEP);
        }
    }
}

/// The exponent of ten of the first cached power, and the step to the next.
const POWER_FIRST: i32 = -348;
const POWER_STEP: i32 = 8;

/// `10^-348, 10^-340, … 10^340` as 64-bit mantissa, rounded to nearest, and exponent of two.
#[rustfmt::skip]
static POWERS: [(u64, i16); 87] = [
    (0xfa8f_d5a0_081c_0288, -1220), (0xbaae_e17f_a23e_bf76, -1193), (0x8b16_fb20_3055_ac76, -1166),
    (0xcf42_894a_5dce_35ea, -1140), (0x9a6b_b0aa_5565_3b2d, -1113), (0xe61a_cf03_3d1a_45df, -1087),
    (0xab70_fe17_c79a_c6ca, -1060), (0xff77_b1fc_bebc_dc4f, -1034), (0xbe56_91ef_416b_d60c, -1007),
    (0x8dd0_1fad_907f_fc3c, -980), (0xd351_5c28_3155_9a83, -954), (0x9d71_ac8f_ada6_c9b5, -927),
    (0xea9c_2277_23ee_8bcb, -901), (0xaecc_4991_4078_536d, -874), (0x823c_1279_5db6_ce57, -847),
    (0xc210_9436_4dfb_5637, -821), (0x9096_ea6f_3848_984f, -794), (0xd774_85cb_2582_3ac7, -768),
    (0xa086_cfcd_97bf_97f4, -741), (0xef34_0a98_172a_ace5, -715), (0xb238_67fb_2a35_b28e, -688),
    (0x84c8_d4df_d2c6_3f3b, -661), (0xc5dd_4427_1ad3_cdba, -635), (0x936b_9fce_bb25_c996, -608),
    (0xdbac_6c24_7d62_a584, -582), (0xa3ab_6658_0d5f_daf6, -555), (0xf3e2_f893_dec3_f126, -529),
    (0xb5b5_ada8_aaff_80b8, -502), (0x8762_5f05_6c7c_4a8b, -475), (0xc9bc_ff60_34c1_3053, -449),
    (0x964e_858c_91ba_2655, -422), (0xdff9_7724_7029_7ebd, -396), (0xa6df_bd9f_b8e5_b88f, -369),
    (0xf8a9_5fcf_8874_7d94, -343), (0xb944_7093_8fa8_9bcf, -316), (0x8a08_f0f8_bf0f_156b, -289),
    (0xcdb0_2555_6531_31b6, -263), (0x993f_e2c6_d07b_7fac, -236), (0xe45c_10c4_2a2b_3b06, -210),
    (0xaa24_2499_6973_92d3, -183), (0xfd87_b5f2_8300_ca0e, -157), (0xbce5_0864_9211_1aeb, -130),
    (0x8cbc_cc09_6f50_88cc, -103), (0xd1b7_1758_e219_652c, -77), (0x9c40_0000_0000_0000, -50),
    (0xe8d4_a510_0000_0000, -24), (0xad78_ebc5_ac62_0000, 3), (0x813f_3978_f894_0984, 30),
    (0xc097_ce7b_c907_15b3, 56), (0x8f7e_32ce_7bea_5c70, 83), (0xd5d2_38a4_abe9_8068, 109),
    (0x9f4f_2726_179a_2245, 136), (0xed63_a231_d4c4_fb27, 162), (0xb0de_6538_8cc8_ada8, 189),
    (0x83c7_088e_1aab_65db, 216), (0xc45d_1df9_4271_1d9a, 242), (0x924d_692c_a61b_e758, 269),
    (0xda01_ee64_1a70_8dea, 295), (0xa26d_a399_9aef_774a, 322), (0xf209_787b_b47d_6b85, 348),
    (0xb454_e4a1_79dd_1877, 375), (0x865b_8692_5b9b_c5c2, 402), (0xc835_53c5_c896_5d3d, 428),
    (0x952a_b45c_fa97_a0b3, 455), (0xde46_9fbd_99a0_5fe3, 481), (0xa59b_c234_db39_8c25, 508),
    (0xf6c6_9a72_a398_9f5c, 534), (0xb7dc_bf53_54e9_bece, 561), (0x88fc_f317_f222_41e2, 588),
    (0xcc20_ce9b_d35c_78a5, 614), (0x9816_5af3_7b21_53df, 641), (0xe2a0_b5dc_971f_303a, 667),
    (0xa8d9_d153_5ce3_b396, 694), (0xfb9b_7cd9_a4a7_443c, 720), (0xbb76_4c4c_a7a4_4410, 747),
    (0x8bab_8eef_b640_9c1a, 774), (0xd01f_ef10_a657_842c, 800), (0x9b10_a4e5_e991_3129, 827),
    (0xe710_9bfb_a19c_0c9d, 853), (0xac28_20d9_623b_f429, 880), (0x8044_4b5e_7aa7_cf85, 907),
    (0xbf21_e440_03ac_dd2d, 933), (0x8e67_9c2f_5e44_ff8f, 960), (0xd433_179d_9c8c_b841, 986),
    (0x9e19_db92_b4e3_1ba9, 1013), (0xeb96_bf6e_badf_77d9, 1039), (0xaf87_023b_9bf0_ee6b, 1066),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn digits_read_back_as_the_same_double() {
        let seed = 21;
        let mut random = Random::from_seed(seed);
        let mut shortest = 0;
        for _ in 0..100_000 {
            let value = f64::from_bits(random.next_u64() >> 1);
            if !value.is_finite() || value == 0.0 {
                continue;
            }
            let decimal = digits(value);
            let text = format!("{}e{}", std::str::from_utf8(decimal.digits()).unwrap(), decimal.exponent);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "seed {seed}: {value:e}");
            assert!(decimal.digits().len() <= 17);
            shortest += u32::from(format!("{value:e}").len() >= decimal.digits().len() + 2);
        }
        assert!(shortest > 99_000, "{shortest}");
    }

    #[test]
    fn the_ends_of_the_range() {
        let text = |value: f64| {
            let decimal = digits(value);
            format!("{}e{}", std::str::from_utf8(decimal.digits()).unwrap(), decimal.exponent)
        };
        assert_eq!(text(f64::MAX), "17976931348623157e292");
        assert_eq!(text(f64::MIN_POSITIVE), "22250738585072014e-324");
        assert_eq!(text(5e-324), "5e-324");
        assert_eq!(text(1.0), "1e0");
        assert_eq!(text(0.1), "1e-1");
        for bits in (0..52).map(|shift| 1 << shift).chain((1..0x7ff).map(|biased| biased << 52)) {
            let power_of_two = f64::from_bits(bits);
            assert_eq!(text(power_of_two).parse::<f64>().unwrap(), power_of_two);
        }
    }
}
