/** The columns of the Shopify product format that an import reads, with two small products to copy from. */
export const TEMPLATE_ROWS: readonly (readonly string[])[] = [
  ["Handle", "Title", "Body (HTML)", "Published", "Option1 Name", "Option1 Value", "Option2 Name", "Option2 Value", "Variant SKU", "Variant Inventory Qty", "Variant Price", "Variant Compare At Price", "Image Src", "Image Alt Text", "Status"],
  ["silk-scarf", "Silk scarf", "Hand-rolled edges.", "TRUE", "Colour", "Red", "Size", "90 cm", "SCARF-R-90", "40", "29.90", "39.90", "", "", "active"],
  ["silk-scarf", "", "", "", "", "Blue", "", "90 cm", "SCARF-B-90", "25", "29.90", "39.90", "", "", ""],
  ["green-tea", "Green tea 100 g", "Spring harvest.", "TRUE", "Title", "Default Title", "", "", "TEA-100", "120", "12.50", "", "", "", "active"],
];

export function csvOf(rows: readonly (readonly string[])[]): string {
  const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** Excel reads UTF-8 only behind a byte order mark. */
export function download(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
