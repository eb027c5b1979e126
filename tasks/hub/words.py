"""Words of the hub's pages in English and Chinese, and numbers as people read them."""

from tasks import words
from tasks.words import Text

REASONS = {
    "chips": Text("too few free chips", "空闲芯片不足"),
    "preferred": Text("no domain of the preferred level had room", "首选层级内没有足够空位"),
    "level": Text("no domain of the required level had room", "要求层级内没有足够空位"),
    "shape": Text("free chips not in whole groups", "空闲芯片凑不成整组"),
    "hold": Text("chips reserved for an earlier gang", "芯片已为更早的作业预留"),
    "power": Text("power cap", "功率上限"),
    "quota": Text("its project's quota", "项目配额"),
    "budget": Text("its project's budget", "项目预算"),
    "order": Text("its turn in the queue", "排队次序"),
}
CAUSES = {
    "busy": Text("chips at work", "芯片工作"),
    "idle": Text("idle chips", "芯片空闲"),
    "base": Text("base load", "基础负载"),
    "overhead": Text("cooling and losses (PUE)", "制冷与损耗（PUE）"),
}
BOUNDS = {
    "area": Text("all work on all chips, as if it were liquid", "全部工作量均摊到全部芯片"),
    "longest": Text("the one gang that ends last even if alone", "单独运行也最晚结束的作业"),
}
STATUS = {
    "public": Text("public", "公开"),
    "derived": Text("derived", "推导"),
    "assumed": Text("assumed", "假设"),
    "measured": Text("measured", "实测"),
}
PROPERTIES = {
    "memory": Text("Memory", "显存"),
    "memory_bandwidth": Text("Memory bandwidth", "显存带宽"),
    "tflops": Text("Peak", "峰值"),
    "power": Text("Power at full load", "满载功率"),
    "idle": Text("Power when idle", "空闲功率"),
    "speed": Text("Speed, relative", "相对速度"),
    "bandwidth": Text("Bandwidth, a chip's share, one way", "单向带宽（每芯片）"),
    "latency": Text("Latency", "时延"),
    "oversubscription": Text("Oversubscription", "收敛比"),
    "base": Text("Base load of each", "每个的基础负载"),
    "cap": Text("Cap of each", "每个的功率上限"),
    "pue": Text("PUE", "PUE"),
}
LEVELS = {"network": "网络", "site": "站点", "cluster": "集群", "unit": "单元", "supernode": "超节点", "host": "主机"}
GROUPS = {
    "chips": Text("Chips", "芯片"),
    "links": Text("Links by level", "各层级互连"),
    "power": Text("Power", "电力"),
}


def reason(code: str) -> Text:
    """What held a gang, in words."""
    return REASONS.get(code, Text(code, code))


def duration(seconds: float) -> str:
    """Seconds as people say them, many hours as days."""
    return words.duration(seconds) if seconds < 4 * 86400 else f"{seconds / 86400:.1f} d"


def energy(kwh: float) -> str:
    """Energy in MWh, or in kWh where it is little."""
    if kwh >= 1000:
        return f"{kwh / 1000:,.0f} MWh" if kwh >= 1e5 else f"{kwh / 1000:,.1f} MWh"
    return f"{kwh:,.1f} kWh"


def percent(share: float) -> str:
    """A share with one decimal."""
    return f"{100 * share:.1f} %"
