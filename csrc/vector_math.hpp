// Vectors of one register, and the activations on them. Included once per instruction set, inside
// that set's namespace, so that no inline function is shared between differently compiled objects.
#if defined(__clang__)
#define NERVURE_UNROLL _Pragma("unroll")
#else
#define NERVURE_UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class T>
struct VectorOf {
  using Int = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  typedef T type __attribute__((vector_size(kVectorBytes)));
  typedef Int mask __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vec = typename VectorOf<T>::type;
template <class T>
using Mask = typename VectorOf<T>::mask;
template <class T>
constexpr int kWidth = kVectorBytes / static_cast<int>(sizeof(T));
constexpr int kVectors = kChunkBytes / kVectorBytes;  // vectors per chunk row

template <class T>
inline Vec<T> load(const T* p) {
  Vec<T> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
inline void store(T* p, Vec<T> v) {
  std::memcpy(p, &v, sizeof v);
}
template <class T>
inline Vec<T> splat(T x) {
  return Vec<T>{} + x;
}
template <class T>
inline Mask<T> bits_of(Vec<T> x) {
  Mask<T> bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
template <class T>
inline Vec<T> value_of(Mask<T> bits) {
  Vec<T> x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
// The bits of |x|: as integers they order like |x|, with NaN beyond infinity.
template <class T>
inline Mask<T> size_bits(Vec<T> x) {
  return bits_of<T>(x) & std::numeric_limits<typename VectorOf<T>::Int>::max();
}
template <class T>
inline Mask<T> larger(Mask<T> a, Mask<T> b) {
  return a > b ? a : b;
}
template <class T>
inline Vec<T> absolute(Vec<T> x) {
  return value_of<T>(size_bits<T>(x));
}

// exp by x = n ln 2 + r, |r| <= ln(2)/2, and the Taylor series of exp(r) - 1, whose truncation
// after r^7 (float) and r^13 (double) lies below half a unit in the last place on that interval.
template <class T>
struct ExpParts {
  Vec<T> power;  // 2^n
  Vec<T> rest;   // exp(r) - 1
};

template <class T>
inline ExpParts<T> exp_parts(Vec<T> x) {
  constexpr bool single = sizeof(T) == 4;
  constexpr T low = single ? T(-87) : T(-708), high = single ? T(89) : T(710);
  constexpr T log2e = T(1.4426950408889634074);
  // ln 2 in two parts, the first with enough trailing zero bits that n times it is exact.
  constexpr T ln2_high = single ? T(0.693359375) : T(6.93147180369123816490e-01);
  constexpr T ln2_low = single ? T(-2.12194440054690583e-4) : T(1.90821492927058770002e-10);
  constexpr T magic = single ? T(12582912.0) : T(6755399441055744.0);  // 1.5 * 2^(mantissa bits)
  constexpr int mantissa = single ? 23 : 52, exponent_bias = single ? 127 : 1023;
  x = x < low ? splat<T>(low) : x;  // written so that NaN passes through
  x = x > high ? splat<T>(high) : x;
  const Vec<T> shifted = x * log2e + magic;  // the integer n stands in the low mantissa bits
  const Vec<T> n = shifted - magic;
  const Vec<T> r = (x - n * ln2_high) - n * ln2_low;
  Vec<T> p;
  if constexpr (single) {
    p = splat<T>(T(1.0 / 5040));
    p = p * r + T(1.0 / 720);
  } else {
    p = splat<T>(T(1.0 / 6227020800.0));
    p = p * r + T(1.0 / 479001600.0);
    p = p * r + T(1.0 / 39916800.0);
    p = p * r + T(1.0 / 3628800.0);
    p = p * r + T(1.0 / 362880.0);
    p = p * r + T(1.0 / 40320.0);
    p = p * r + T(1.0 / 5040.0);
    p = p * r + T(1.0 / 720.0);
  }
  p = p * r + T(1.0 / 120);
  p = p * r + T(1.0 / 24);
  p = p * r + T(1.0 / 6);
  p = p * r + T(0.5);
  ExpParts<T> out;
  out.rest = r + r * r * p;
  Mask<T> bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  Mask<T> magic_bits;
  const Vec<T> magic_vector = splat<T>(magic);
  std::memcpy(&magic_bits, &magic_vector, sizeof magic_bits);
  bits = (bits - magic_bits + exponent_bias) << mantissa;
  std::memcpy(&out.power, &bits, sizeof bits);
  return out;
}

template <class T>
inline Vec<T> exponential(Vec<T> x) {
  const ExpParts<T> e = exp_parts<T>(x);
  return e.power * (T(1) + e.rest);  // in this order infinity stays infinity
}

template <class T>
inline Vec<T> hyperbolic_tangent(Vec<T> x) {
  if constexpr (sizeof(T) == 4) {
    // a P(a^2) / Q(a^2) on a = |x| <= 9.02, where tanh rounds to 1: a fit of least largest relative
    // error (2.1e-8), rounded within 6 units in the last place. All coefficients are positive, so
    // nothing cancels. Half the operations of the way by exp.
    Vec<T> a = absolute<T>(x);
    const Mask<T> sign = bits_of<T>(x) ^ bits_of<T>(a);
    a = a > T(9.02) ? splat<T>(T(9.02)) : a;  // NaN passes through
    const Vec<T> t = a * a;
    Vec<T> p = splat<T>(T(1.3319299008907972e-08));
    Vec<T> q = splat<T>(T(7.762117168068391e-07));
    p = p * t + T(2.0583661489992657e-05);
    q = q * t + T(0.0003283111431117881);
    p = p * t + T(0.0034940462498627136);
    q = q * t + T(0.025871118471632083);
    p = p * t + T(0.13379728045653913);
    q = q * t + T(0.4671304330477925);
    p = p * t + T(1);
    q = q * t + T(1);
    Vec<T> y = a * p / q;
    y = y > T(1) ? splat<T>(T(1)) : y;
    return value_of<T>(bits_of<T>(y) | sign);
  }
  constexpr T saturated = T(20);  // tanh rounds to 1 before
  x = x > saturated ? splat<T>(saturated) : x;
  x = x < -saturated ? splat<T>(-saturated) : x;
  // tanh x = E / (E + 2) with E = exp(2x) - 1, formed without cancellation near zero.
  const ExpParts<T> e = exp_parts<T>(x + x);
  const Vec<T> E = e.power * e.rest + (e.power - T(1));
  return E / (E + T(2));
}

template <class T>
inline Vec<T> logistic(Vec<T> x) {
  return T(1) / (T(1) + exponential<T>(-x));
}

template <class T>
inline Vec<T> error_function(Vec<T> x) {
  if constexpr (sizeof(T) == 4) {
    // Abramowitz and Stegun, formula 7.1.26: |error| <= 1.5e-7, the rounding of float.
    const Vec<T> a = absolute<T>(x);
    const Vec<T> t = T(1) / (T(1) + T(0.3275911) * a);
    Vec<T> p = splat<T>(T(1.061405429));
    p = p * t + T(-1.453152027);
    p = p * t + T(1.421413741);
    p = p * t + T(-0.284496736);
    p = p * t + T(0.254829592);
    const Vec<T> y = T(1) - p * t * exponential<T>(-a * a);
    return x < T(0) ? -y : y;
  } else {
    for (int i = 0; i < kWidth<T>; ++i) x[i] = std::erf(x[i]);
    return x;
  }
}

// f(z); where `slope` is given and the activation needs it, f'(z) too.
template <class T>
inline Vec<T> activate(std::int32_t activation, Vec<T> z, T leak, Vec<T>* slope) {
  const Vec<T> zero = {};
  switch (activation) {
    case kRelu:
      return z < zero ? zero : z;  // NaN stays NaN
    case kSquaredRelu: {
      const Vec<T> r = z < zero ? zero : z;
      return r * r;
    }
    case kLeakyRelu:
      return z < zero ? z * leak : z;
    case kTanh:
      return hyperbolic_tangent<T>(z);
    case kSigmoid:
      return logistic<T>(z);
    case kGelu: {
      const Vec<T> cdf = T(0.5) * (T(1) + error_function<T>(z * T(0.70710678118654752440)));
      if (slope) *slope = cdf + z * T(0.39894228040143267794) * exponential<T>(T(-0.5) * z * z);
      return z * cdf;
    }
    case kSilu: {
      const Vec<T> s = logistic<T>(z);
      if (slope) *slope = s * (T(1) + z * (T(1) - s));
      return z * s;
    }
    default:
      return z;
  }
}

// f'(z) from f(z), for the activations that allow it.
template <class T>
inline Vec<T> slope_from_value(std::int32_t activation, Vec<T> a, T leak) {
  const Vec<T> zero = {};
  const Vec<T> one = splat<T>(T(1));
  switch (activation) {
    case kRelu:
      return a > zero ? one : zero;
    case kSquaredRelu: {
      Vec<T> root;
      for (int i = 0; i < kWidth<T>; ++i) root[i] = std::sqrt(a[i]);
      return T(2) * root;
    }
    case kLeakyRelu:
      return a > zero ? one : splat<T>(leak);
    case kTanh:
      return one - a * a;
    case kSigmoid:
      return a * (one - a);
    default:
      return one;
  }
}
