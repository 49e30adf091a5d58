"""What the demo market is made of: its people, its goods, and what its viewers say."""

from __future__ import annotations

import msgspec

from livestall.app.demo import pictures

PASSWORD = "livestall-demo"  # noqa: S105 - the demo prints it
MARKET_NAME = "Riverside County Market · 河畔县集市"
CURRENCY = "CNY"


class Axis(msgspec.Struct, frozen=True):
    """One option of a product and its values, e.g. size: S, M, L."""

    name: str
    values: tuple[str, ...]


class Goods(msgspec.Struct, frozen=True):
    """One product: `name` keys its picture and words in `pictures.PRODUCTS`. `prices` are minor units, one for each
    value of the axis; `live` is the price in the show, in hundredths of the list price."""

    name: str
    axis: Axis | None
    prices: tuple[int, ...]
    on_hand: int
    live: int = 85

    @property
    def words(self) -> pictures.Goods:
        return next(one for one in pictures.PRODUCTS if one.name == self.name)

    @property
    def title(self) -> str:
        return f"{self.words.en} · {self.words.zh}"

    @property
    def description(self) -> str:
        return f"{self.words.description_en} {self.words.description_zh}"


class Stall(msgspec.Struct, frozen=True):
    """A seller with the goods of the stall."""

    name: str
    goods: tuple[Goods, ...]


STALLS = (
    Stall(
        "Riverside Farm Co-op · 河畔合作社",
        (
            Goods("tea", Axis("Tin · 规格", ("150 g", "300 g", "Gift box · 礼盒")), (12800, 22800, 29800), 120),
            Goods("honey", Axis("Jar · 规格", ("500 g", "1 kg")), (5900, 10900), 160, 88),
            Goods("oranges", Axis("Box · 箱规", ("2.5 kg", "5 kg", "10 kg")), (2990, 4990, 8990), 260, 90),
        ),
    ),
    Stall(
        "Blue Kiln Workshop · 青窑工坊",
        (
            Goods("mug", Axis("Glaze · 釉色", ("Terracotta · 陶土", "Moon white · 月白", "Tenmoku · 天目")),
                  (8900, 8900, 10900), 90),
            Goods("vase", Axis("Height · 高度", ("28 cm", "36 cm")), (25900, 35900), 60, 80),
            Goods("lamp", None, (19900,), 110),
            Goods("candle", Axis("Scent · 香型", ("Cedar · 雪松", "Osmanthus · 桂花")), (9900, 9900), 180),
        ),
    ),
    Stall(
        "Southgate Mall · 南门商场",
        (
            Goods("perfume", Axis("Bottle · 容量", ("30 ml", "50 ml")), (19900, 29900), 90, 78),
            Goods("lipstick", Axis("Shade · 色号", ("Brick · 砖红", "Rose · 玫瑰", "Plum · 梅子", "Nude · 裸色")),
                  (15900, 15900, 15900, 15900), 140, 80),
            Goods("headphones", Axis("Colour · 颜色", ("Slate · 石板灰", "Sand · 沙色")), (59900, 59900), 70, 90),
            Goods("tote", Axis("Size · 尺寸", ("M", "L")), (7900, 9900), 200),
            Goods("cream", None, (18900,), 150, 82),
        ),
    ),
)  # fmt: skip

CREATORS = (
    (
        "mei@demo.example",
        "Mei of Riverside · 河畔阿梅",
        "Farm, kiln and mall, live every day. 从田头到窑口，天天开播。",
    ),
    ("lin@demo.example", "Kiln master Lin · 林师傅", "Thirty years at the wheel. 三十年拉坯老师傅。"),
)

SHOW_TITLE = "Autumn market: oranges, celadon, perfume · 秋集开播"
SHOW_DESCRIPTION = (
    "Straight from the co-op, the kiln and the mall, with a flash sale every few minutes. 每隔几分钟一轮秒杀。"
)
REPLAY_TITLE = "Out of the kiln: mugs and vases · 开窑日"

FAMILY = ("陈", "林", "黄", "李", "张", "王", "吴", "周", "徐", "孙", "何", "郭", "罗", "梁", "谢")
GIVEN = ("静", "敏", "建国", "小雨", "志强", "丽华", "浩然", "雅婷", "文杰", "秀英", "子涵", "美玲", "国平", "欣怡")
FIRST = (
    "Ava",
    "Liam",
    "Noor",
    "Mateo",
    "Ines",
    "Kofi",
    "Hana",
    "Ravi",
    "Lena",
    "Omar",
    "Tess",
    "Yuki",
    "Dario",
    "Mina",
)
LAST = ("Brook", "Okafor", "Silva", "Haddad", "Novak", "Marsh", "Tanaka", "Costa", "Reyes", "Lund", "Singh", "Bauer")

CITIES = (
    ("广东省", "江门市", "新会区会城街道 18 号"), ("浙江省", "杭州市", "西湖区文三路 90 号"),
    ("四川省", "成都市", "武侯区玉林北路 7 号"), ("湖北省", "武汉市", "江岸区沿江大道 21 号"),
    ("福建省", "泉州市", "鲤城区西街 66 号"), ("陕西省", "西安市", "碑林区书院门 5 号"),
)  # fmt: skip

ABROAD = ("Jiangmen", "Hangzhou", "Leeds", "Porto", "Nairobi", "Osaka", "Lima", "Malmö")

GREETINGS = (
    "hello from {city}", "just got here, what did I miss?", "good evening everyone", "hi Mei!", "来了来了", "主播好！",
    "晚上好，从{city}来", "第一次进来，先关注了", "刚下班，赶上了吗", "back again, the honey was great",
)  # fmt: skip
QUESTIONS = (
    "how long does shipping take to {city}?", "is the {goods} okay as a gift?", "which would you pick yourself?",
    "can I see the {goods} closer?", "does it come with a box?", "is there a bigger one?", "what is it made of?",
    "how do I keep the {goods} fresh?", "几天能到{city}？", "{goods}可以送礼吗", "能再拿近一点看看{goods}吗",
    "有没有大一点的", "这个怎么保存呀", "有发票吗", "{goods}和上次的一样吗", "老人用合适吗", "能开箱验货吗",
)  # fmt: skip
REMARKS = (
    "the colour is lovely", "my aunt has this one, still good after years", "that price is fair", "nice light tonight",
    "the {goods} looks even better live", "I can almost smell it", "ordered two last week, no regrets",
    "颜色好正", "上次买的{goods}收到了，很满意", "这个价可以", "画面好清楚", "看着就香", "主播讲得真细", "支持家乡特产",
    "我妈就爱这个", "{goods}已经回购三次了", "实在人", "声音也好听",
)  # fmt: skip
RUSH = (
    "got one!", "come on, refresh…", "so fast", "missed it, release more please", "抢到了！", "手慢无", "再放一点吧",
    "还有吗还有吗", "秒没啊", "my finger was ready", "拼手速的时候到了", "yes!! paid", "付款了付款了",
)  # fmt: skip
THANKS = (
    "thank you Mei",
    "paid, see you next time",
    "已付款，坐等收货",
    "下单了，谢谢主播",
    "bought, please pack it well",
)
