/** What the components of a JPEG mean. */
export type ColourModel = 'grey' | 'rgb' | 'ycc' | 'cmyk' | 'ycck';

/** Writes `width` pixels of RGB from `at` on; `rows` has one row of samples a component. */
export type ConvertRow = (rows: readonly Uint8Array[], width: number, out: Uint8Array, at: number) => void;

export function rowConverter(model: ColourModel): ConvertRow {
  switch (model) {
    case 'grey':
      return ([grey], width, out, at) => {
        for (let x = 0; x < width; x++) out.fill(grey[x], at + 3 * x, at + 3 * x + 3);
      };
    case 'rgb':
      return (rows, width, out, at) => {
        for (let c = 0; c < 3; c++) for (let x = 0; x < width; x++) out[at + 3 * x + c] = rows[c][x];
      };
    case 'ycc':
      return yccToRgb;
    case 'cmyk':
      return inverseCmykToRgb;
    case 'ycck':
      return ycckToRgb;
  }
}

const fixed = (value: number) => Math.round(value * 65536);
const [RED_CR, GREEN_CB, GREEN_CR, BLUE_CB] = [fixed(1.402), fixed(0.34414), fixed(0.71414), fixed(1.772)];
const HALF = 32768;

/** JFIF's YCbCr to RGB in fixed point with 16 bits of fraction. */
function yccToRgb([luma, blue, red]: readonly Uint8Array[], width: number, out: Uint8Array, at: number): void {
  for (let x = 0, p = at; x < width; x++, p += 3) {
    const y = luma[x];
    const b = blue[x] - 128;
    const r = red[x] - 128;
    out[p] = clamp(y + ((RED_CR * r + HALF) >> 16));
    out[p + 1] = clamp(y + ((HALF - GREEN_CB * b - GREEN_CR * r) >> 16));
    out[p + 2] = clamp(y + ((BLUE_CB * b + HALF) >> 16));
  }
}

/** Inverse inks, 255 for none, and inverse black: as light they multiply. */
function inverseCmykToRgb(rows: readonly Uint8Array[], width: number, out: Uint8Array, at: number): void {
  const black = rows[3];
  for (let c = 0; c < 3; c++) {
    for (let x = 0; x < width; x++) out[at + 3 * x + c] = black[x] - scaled(255 - rows[c][x], black[x]);
  }
}

/** YCCK hides the inks as the YCbCr of the RGB that is their inverse; what Adobe stores are inverse inks again. */
function ycckToRgb(rows: readonly Uint8Array[], width: number, out: Uint8Array, at: number): void {
  const black = rows[3];
  yccToRgb(rows, width, out, at);
  for (let x = 0; x < width; x++) {
    for (let p = at + 3 * x; p < at + 3 * x + 3; p++) out[p] = black[x] - scaled(out[p], black[x]);
  }
}

/** `a · b / 255` of bytes, rounded. */
function scaled(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

function clamp(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
