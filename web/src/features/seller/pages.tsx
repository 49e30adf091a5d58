export function SellerPage() { return <h1>Seller</h1>; }
export function ProductsPage() { return <h1>Products</h1>; }
export function StockPage() { return <h1>Stock</h1>; }
export function ImportPage() { return <h1>Import</h1>; }
