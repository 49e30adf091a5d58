export { ImportPage } from "./import/import-page";
export { ProductsPage } from "./products/products-page";
export { SellerPage } from "./seller-page";
export { StockPage } from "./stock/stock-page";
