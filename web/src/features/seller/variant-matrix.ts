/** From option axes (Colour: red, blue; Size: S, M) to the variants that can be bought, keeping what was typed. */

export interface Axis {
  name: string;
  values: string[];
}

export interface VariantDraft {
  id: string;
  sku: string;
  options: Record<string, string>;
  priceAmount: number | null;
  compareAtAmount: number | null;
}

export const VARIANTS_MAX = 250;
export const AXES_MAX = 5;

export function combinations(axes: readonly Axis[]): Record<string, string>[] {
  const used = cleanAxes(axes);
  return used.reduce<Record<string, string>[]>(
    (rows, axis) => rows.flatMap((row) => axis.values.map((value) => ({ ...row, [axis.name]: value }))),
    [{}],
  );
}

/** Axes with a name and at least one value; blanks and doubles are left out. */
export function cleanAxes(axes: readonly Axis[]): Axis[] {
  const names = new Set<string>();
  const clean: Axis[] = [];
  for (const axis of axes) {
    const name = axis.name.trim();
    const values = [...new Set(axis.values.map((value) => value.trim()).filter(Boolean))];
    if (!name || values.length === 0 || names.has(name)) continue;
    names.add(name);
    clean.push({ name, values });
  }
  return clean;
}

/**
 * The matrix after the axes changed. A variant survives if its options still exist; when an axis is added, the first
 * new combination inherits the id and the figures of the old variant it refines, the others inherit its figures.
 */
export function reconcile(
  axes: readonly Axis[],
  before: readonly VariantDraft[],
  mintId: () => string,
): VariantDraft[] {
  const used = new Set<string>();
  return combinations(axes).slice(0, VARIANTS_MAX).map((options) => {
    const exact = before.find((variant) => !used.has(variant.id) && same(variant.options, options));
    const parent = exact ?? before.find((variant) => agrees(variant.options, options));
    const inheritsId = parent !== undefined && !used.has(parent.id) && (exact !== undefined || !isExactElsewhere(parent, axes));
    if (parent && inheritsId) used.add(parent.id);
    return {
      id: parent && inheritsId ? parent.id : mintId(),
      sku: parent && inheritsId ? parent.sku : "",
      options,
      priceAmount: parent?.priceAmount ?? before[0]?.priceAmount ?? null,
      compareAtAmount: parent?.compareAtAmount ?? null,
    };
  });
}

function isExactElsewhere(variant: VariantDraft, axes: readonly Axis[]): boolean {
  return combinations(axes).some((options) => same(options, variant.options));
}

function same(a: Record<string, string>, b: Record<string, string>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

/** True when nothing that both name differs: {Colour: red} agrees with {Colour: red, Size: S}. */
function agrees(a: Record<string, string>, b: Record<string, string>): boolean {
  const shared = Object.keys(a).filter((key) => key in b);
  return shared.every((key) => a[key] === b[key]) && (shared.length > 0 || Object.keys(a).length === 0);
}

export function variantTitle(options: Record<string, string>): string {
  return Object.values(options).join(" / ");
}
