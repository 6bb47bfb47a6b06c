import type { A2QQuantizer } from '../../lib/quant/accumulatorAware.js';
import { type BoundKind, dataTypeAccumulatorBits, l1Budget, minAccumulatorBits } from '../../lib/quant/bounds.js';
import { epInit } from '../../lib/quant/epInit.js';
import { projectL1Rows } from '../../lib/quant/projection.js';
import { quantLayerFor } from './build.js';
import { flag, type Json, list, number, numbers, object, text } from './golden.js';
import { label, type Report } from './report.js';

/** bounds.json: l1 budgets and accumulator widths. */
export async function checkBounds(file: Json, report: Report): Promise<void> {
  for (const [i, entry] of list(file, 'l1_bounds').entries()) {
    await report.run(label('bounds', 'l1_bounds', i, entry), (check) => {
      const input = { bits: number(entry, 'N'), signed: flag(entry, 'signed') };
      check.relative('T_a2q', l1Budget('a2q', number(entry, 'P'), input), number(entry, 'T_a2q'), 1e-6);
      check.relative('T_a2q_plus', l1Budget('a2q+', number(entry, 'P'), input), number(entry, 'T_a2q_plus'), 1e-6);
    });
  }
  const widths = async (group: string, prefix: string) => {
    for (const [i, entry] of list(file, group).entries()) {
      await report.run(label('bounds', group, i, entry), async (check) => {
        const input = { bits: number(entry, 'N'), signed: flag(entry, 'signed') };
        const l1 = number(entry, 'l1');
        await check.exact('a2q', minAccumulatorBits('a2q', l1, input), number(entry, `${prefix}a2q`));
        await check.exact('a2q_plus', minAccumulatorBits('a2q+', l1, input), number(entry, `${prefix}a2q_plus`));
      });
    }
  };
  await widths('min_acc_bits', '');
  await widths('min_acc_bits_float32_edge', 'exact_');
  for (const [i, entry] of list(file, 'min_acc_bits_data_type').entries()) {
    await report.run(label('bounds', 'min_acc_bits_data_type', i, entry), async (check) => {
      const input = { bits: number(entry, 'N'), signed: flag(entry, 'signed') };
      await check.exact(
        'P',
        dataTypeAccumulatorBits(number(entry, 'K'), number(entry, 'M'), input),
        number(entry, 'P'),
      );
    });
  }
}

/** l1proj.json: projections, alone and as an initialisation. */
export async function checkProjection(file: Json, report: Report): Promise<void> {
  for (const [i, entry] of list(file, 'vectors').entries()) {
    await report.run(label('l1proj', 'vectors', i, entry), (check) =>
      check.close('out', projectL1Rows(numbers(entry, 'v'), 1, number(entry, 'radius')), entry['out']),
    );
  }
  for (const [i, entry] of list(file, 'matrices').entries()) {
    await report.run(label('l1proj', 'matrices', i, entry), (check) => {
      const radius = numbers(entry, 'radius');
      const rows = object(entry, 'W')['shape'] as number[];
      const out = projectL1Rows(numbers(entry, 'W'), rows[0], radius.length === 1 ? radius[0] : radius);
      return check.close('out', out, numbers(entry, 'out'));
    });
  }
  for (const [i, entry] of list(file, 'ep_init').entries()) {
    await report.run(label('l1proj', 'ep_init', i, entry), async (check) => {
      const layer = quantLayerFor(entry);
      const quantizer = layer.weightQuant as A2QQuantizer;
      await check.close('d', quantizer.d, entry['d']);
      await check.close('t', quantizer.t, entry['t']);
      check.relative('T', quantizer.budget, number(entry, 'T'), 1e-6);
      await epInit(layer);
      await check.close('weight_out', layer.weight, entry['weight_out']);
      await check.close('t_out', quantizer.t, entry['t_out']);
      await check.close('d_out', quantizer.d, entry['d_out']);
    });
  }
}

/** The golden files' names of the two methods. */
export function boundKind(json: Json): BoundKind {
  return text(json, 'kind') === 'a2q' ? 'a2q' : 'a2q+';
}
